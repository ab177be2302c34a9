"""A terminal that cannot print a name never ends a job; what is written to disk is UTF-8."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume

GRID = Geometry((32, 32, 6), (1.5, 1.5, 4.0))
TABLE = LabelTable((Structure(1, "ήπαρ", (1.0, 0.0, 0.0)),))
SMALL = ["--steps", "2", "--width", "4", "--batch", "2", "--device", "cpu", "--precision", "float32"]


class Printed(io.BytesIO):
    """What was printed; it stays readable after a terminal that wrote to it is gone."""

    def close(self) -> None:
        """Stay open."""


def narrow_terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Make standard output and error those of a terminal that knows few letters; what it will print."""
    printed = Printed()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(printed, encoding=encoding, write_through=True))
    return printed


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_names_in_any_script_go_through_every_job(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = narrow_terminal(encoding, monkeypatch)
    data, run = tmp_path / "Ασθενείς 病人", tmp_path / "тест"
    for number, name in enumerate(("Ελένη", "王小明")):
        gray = np.random.default_rng(number).normal(100, 20, GRID.shape).astype(np.float32)
        labels = np.zeros(GRID.shape, np.int16)
        labels[1:5, 8:20, 8:20] = 1
        write_image(data / "images" / f"{name}.nrrd", Volume(gray + 80 * labels, GRID))
        write_labels(data / "labels" / f"{name}.seg.nrrd", Volume(labels, GRID), TABLE)
    write_image(data / "images" / "Νίκος.nrrd", Volume(gray, GRID))
    (data / "images" / "σπασμένο.nrrd").write_bytes(b"no image")
    words = [
        ["scan", str(data)],
        ["finetune", str(run), "--labeled", str(data), "--from", "none", "--validation", "0", *SMALL],
        ["predict", str(run), "--images", str(data), "--device", "cpu", "--precision", "float32"],
        ["suggest", str(run), "--images", str(data), "--device", "cpu", "--kind", "slices", "--count", "1"],
        ["evaluate", "--predictions", str(run / "predictions"), "--labels", str(data)],
        ["finetune", str(tmp_path / "λάθος"), "--labeled", str(tmp_path / "δεν υπάρχει")],
    ]

    codes = [main(job) for job in words]

    assert codes[:-1] == [0] * 5, printed.getvalue().decode("latin-1")
    assert codes[-1] == 1
    assert b"\\u" in printed.getvalue()
    assert "Ελένη" in (run / "cases.csv").read_text(encoding="utf-8")
    assert "σπασμένο" in (run / "log.txt").read_text(encoding="utf-8")
    assert (run / "predictions" / "王小明.seg.nrrd").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_costs_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = narrow_terminal("cp1252", monkeypatch)
    gray = np.random.default_rng(0).normal(100, 20, GRID.shape).astype(np.float32)
    write_image(tmp_path / "a.nrrd", Volume(gray, GRID))
    (tmp_path / "a.nrrd").rename(tmp_path / os.fsdecode(b"M\xfcller.nrrd"))
    write_image(tmp_path / "b.nrrd", Volume(gray, GRID))

    assert main(["scan", str(tmp_path)]) == 0
    assert [case.name for case in find_cases(tmp_path).cases] == ["b"]
    assert b"is no text" in printed.getvalue()
