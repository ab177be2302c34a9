"""No name ends a job or steers the terminal; what is written to disk is UTF-8."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.runs.log import LogFile
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import run_archive
from ContrastiveSegLib.terminal import clean_terminal, visible, visible_text

GRID = Geometry((32, 32, 6), (1.5, 1.5, 4.0))
TABLE = LabelTable((Structure(1, "ήπαρ", (1.0, 0.0, 0.0)),))
SMALL = ["--steps", "2", "--base-channels", "4", "--batch", "2", "--device", "cpu", "--precision", "float32"]


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
        ["export", str(run), "--output", str(tmp_path / "архив.zip")],
        ["export", str(run), "--to", "nnunet-raw", "--output", str(tmp_path / "δεδομένα")],
        ["export", str(run), "--to", "dicom-seg", "--output", str(tmp_path / "σειρά")],  # of no series
        ["finetune", str(tmp_path / "λάθος"), "--labeled", str(tmp_path / "δεν υπάρχει")],
    ]

    codes = [main(job) for job in words]

    assert codes == [*[0] * 7, 1, 1], printed.getvalue().decode("latin-1")
    assert b"\\u" in printed.getvalue()
    assert "Ελένη" in (run / "finetune" / "01" / "cases.csv").read_text(encoding="utf-8")
    assert "σπασμένο" in (run / "log.txt").read_text(encoding="utf-8")
    assert (run / "predictions" / "王小明.seg.nrrd").is_file()


def test_names_in_any_script_go_through_promptable_models(
    tmp_path: Path, a_sam_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = narrow_terminal("cp1252", monkeypatch)
    data, model = tmp_path / "病人", tmp_path / "μοντέλο"
    shutil.copytree(a_sam_folder, model)
    gray = np.random.default_rng(0).normal(100, 20, GRID.shape).astype(np.float32)
    labels = np.zeros(GRID.shape, np.int16)
    labels[3, 8:20, 8:20] = 1
    write_image(data / "images" / "Ελένη.nrrd", Volume(gray, GRID))
    write_image(data / "images" / "Νίκος.nrrd", Volume(gray, GRID))
    write_labels(data / "drawn" / "Ελένη.seg.nrrd", Volume(labels, GRID), TABLE)
    (data / "drawn" / "Νίκος.seg.nrrd").write_bytes(b"no labels")
    asked = ["--checkpoint", str(model), "--device", "cpu", "--precision", "float32"]
    drawn = ["--annotation", str(data / "drawn" / "Ελένη.seg.nrrd")]
    words = [
        ["propagate", "--image", str(data / "images" / "Ελένη.nrrd"), *drawn, *asked],
        ["refine", "--predictions", str(data / "drawn"), "--images", str(data / "images"), *asked],
        ["models", "--checkpoint", str(model)],
    ]

    codes = [main(job) for job in words]

    assert codes == [0, 0, 0], printed.getvalue().decode("latin-1")
    assert printed.getvalue().count(b"\\u") > 10
    assert (data / "drawn" / "Ελένη_propagated.seg.nrrd").is_file()
    assert (data / "drawn_refined" / "Ελένη.seg.nrrd").is_file()


def test_an_archive_with_a_name_in_another_script_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = narrow_terminal("cp1252", monkeypatch)
    monkeypatch.setattr(run_archive.signal, "signal", lambda *_: None)
    run = RunFolder(tmp_path / "проба")
    run.create()

    codes = [
        run_archive.main(["export", str(run.path), str(tmp_path / "导出.zip")]),
        run_archive.main(["import", str(tmp_path / "导出.zip"), str(tmp_path / "新")]),
        run_archive.main(["import", str(tmp_path / "没有.zip"), str(tmp_path / "新")]),
    ]

    assert codes == [0, 0, 1]
    assert printed.getvalue().count(b"\\u") >= 3


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


# A title of the window, red letters, an 8-bit escape, a false line, and letters that run from right to left.
STEERING = "\x1b]0;mine\x07\x1b[31m\x9b2J\nWARNING none\u202egnp"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_no_name_steers_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = narrow_terminal("utf-8", monkeypatch)
    data, found = tmp_path / f"data{STEERING}", tmp_path / "found"
    labels = np.zeros(GRID.shape, np.int16)
    labels[1:5, 8:20, 8:20] = 1
    write_image(data / "imagesTr" / f"a{STEERING}.nrrd", Volume(labels.astype(np.float32), GRID))
    write_labels(data / "labelsTr" / f"a{STEERING}.nii.gz", Volume(labels, GRID), TABLE)
    write_labels(found / f"a{STEERING}.nii.gz", Volume(labels, GRID), TABLE)
    (data / "imagesTr" / f"b{STEERING}.nrrd").write_bytes(b"no image")
    (found / f"c{STEERING}.nrrd").write_bytes(b"no labels")
    names = {"background": 0, f"organ{STEERING}": 1}
    (data / "dataset.json").write_text(json.dumps({"labels": names, "channel_names": {"0": "CT"}}))

    codes = [
        main(["scan", str(data)]),
        main(["evaluate", "--predictions", str(found), "--labels", str(data)]),
        main(["finetune", str(tmp_path / "run"), "--labeled", str(tmp_path / f"none{STEERING}")]),
    ]

    text = printed.getvalue().decode()
    assert codes == [0, 0, 1]
    assert text.count("\\x1b[31m") >= 6
    assert [line for line in text.splitlines() if line.startswith("WARNING")] == []
    assert not set(text) & set("\x1b\x07\x9b\u202e")


def test_the_log_has_no_name_that_begins_a_line_or_steers_a_terminal(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log.txt")

    try:
        raise OSError(f"lost {STEERING}")
    except OSError as error:
        log.emit(logging.makeLogRecord({"msg": f"case{STEERING}", "exc_info": (OSError, error, None)}))
    log.close()

    text = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert text.count("\n") == 3  # the record, and the two lines of the exception
    assert not set(text) & set("\x1b\x07\x9b\u202e")


def test_what_is_no_control_character_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = narrow_terminal("utf-8", monkeypatch)

    with clean_terminal():
        sys.stdout.write("\rStep 3 of 9\tJürgen 王小明\n")

    assert printed.getvalue().decode() == "\rStep 3 of 9\tJürgen 王小明\n"
    assert visible("a\nb\x1b[0m") == r"a\nb\x1b[0m"
    assert visible_text("a\n\tb\r") == "a\n\tb\\r"
