"""Whatever goes wrong while one case is worked on costs that case in every job, with its reason."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.active_learning import survey
from ContrastiveSegLib.evaluation import case_comparison
from ContrastiveSegLib.jobs import predict, scan
from ContrastiveSegLib.preprocessing import prepared_cache
from ContrastiveSegLib.training import data

SMALL = ["--base-channels", "4", "--batch", "4", "--device", "cpu", "--precision", "float32"]
ALONE = ["--unlabeled", "none"]  # no rounds of self-training
GRID = ["--patch", "32", "32", "--spacing", "6"]
ODD = [
    MemoryError(),
    PermissionError(13, "Permission denied", "x"),
    RuntimeError("ITK"),
    KeyError("k"),
]


@pytest.fixture
def fails_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a function of a module fail for every case whose files or name contain a word."""

    def spoil(module: Any, function: str, word: str, error: Exception = ODD[-1]) -> None:
        before = getattr(module, function)

        def sometimes(first: Any, *args: Any, **options: Any) -> Any:
            if word in str(first):
                raise error
            return before(first, *args, **options)

        monkeypatch.setattr(module, function, sometimes)

    return spoil


def reasons(table: Path) -> dict[str, str]:
    with table.open(encoding="utf-8", newline="") as stream:
        return {row["case"] or Path(row["image"]).name: row["reason"] for row in csv.DictReader(stream)}


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
def test_predict_goes_on_with_the_next_case(
    a_run: Path, phantoms: Path, fails_with: Callable[..., None], error: Exception
) -> None:
    fails_with(predict, "read_image", "phantom_003", error)

    assert main(["predict", str(a_run), "--images", str(phantoms / "test" / "images")]) == 0

    assert not (a_run / "predictions" / "phantom_003.seg.nrrd").exists()
    assert (a_run / "predictions" / "phantom_004.seg.nrrd").exists()
    why = reasons(a_run / "predictions" / "predict_cases.csv")
    assert set(why) == {"phantom_003", "phantom_004"}
    assert why["phantom_003"] != ""
    assert why["phantom_004"] == ""
    assert "Traceback" in (a_run / "log.txt").read_text(encoding="utf-8")


def test_predict_says_so_when_a_header_cannot_be_read(
    a_run: Path, phantoms: Path, fails_with: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "find_geometries", lambda images, _folder: [None] * len(images))
    fails_with(data, "read_geometry", "phantom_004", ValueError("NaN offset"))

    assert main(["predict", str(a_run), "--images", str(phantoms / "test" / "images")]) == 0
    why = reasons(a_run / "predictions" / "predict_cases.csv")
    assert "ValueError: NaN offset" in why["phantom_004.nii.gz"]


@pytest.mark.parametrize("function", ["read_image", "checksum"])
def test_pretrain_leaves_the_case_out(
    tmp_path: Path, phantoms: Path, fails_with: Callable[..., None], function: str
) -> None:
    fails_with(prepared_cache, function, "phantom_006")

    words = ["--images", str(phantoms / "unlabeled"), "--steps", "1", *SMALL, *GRID]
    assert main(["pretrain", str(tmp_path / "run"), *words]) == 0
    why = reasons(tmp_path / "run" / "pretrain" / "cases.csv")
    assert "KeyError" in why["phantom_006"]
    assert why["phantom_005"] == ""


def test_finetune_leaves_the_case_out_and_also_among_further_labels(
    a_run: Path, phantoms: Path, tmp_path: Path, fails_with: Callable[..., None]
) -> None:
    further = Path(shutil.copytree(phantoms / "test", tmp_path / "more"))
    shutil.rmtree(a_run / "prepared")
    fails_with(prepared_cache, "read_annotation_mask", "phantom_001")
    fails_with(prepared_cache, "read_annotation_mask", "phantom_003", MemoryError())

    words = ["--labeled", str(phantoms / "labeled"), "--extra-labeled", str(further), "--steps", "1", *ALONE]
    assert main(["finetune", str(a_run), *words, *SMALL[2:]]) == 0
    why = reasons(a_run / "finetune" / "02" / "cases.csv")
    assert "KeyError" in why["phantom_001"]
    assert "does not fit into memory" in why["phantom_003"]
    assert why["phantom_002"] == why["phantom_004"] == ""


def test_a_label_file_without_rights_does_not_end_finetune(
    a_run: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "phantom_001.seg.nrrd":
            raise PermissionError(13, "Permission denied", str(path))
        return before(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)

    words = ["--labeled", str(phantoms / "labeled"), "--steps", "1", *SMALL[2:], *ALONE]
    assert main(["finetune", str(a_run), *words]) == 0


@pytest.mark.parametrize(("module", "function"), [(prepared_cache, "read_image"), (survey, "slice_features")])
def test_suggest_ranks_the_others(
    a_run: Path, phantoms: Path, fails_with: Callable[..., None], module: Any, function: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if function == "read_image":
        shutil.rmtree(a_run / "prepared")
        fails_with(module, function, "phantom_006")
    else:
        before, calls = survey.slice_features, []

        def once(*args: Any) -> Any:
            calls.append(args)
            if len(calls) == 2:
                raise RuntimeError("out of something")
            return before(*args)

        monkeypatch.setattr(survey, "slice_features", once)

    assert main(["suggest", str(a_run), "--images", str(phantoms / "unlabeled"), "--device", "cpu"]) == 0

    with (a_run / "suggestions.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["case"] for row in csv.DictReader(stream)} == {"phantom_005"}
    why = reasons(a_run / "suggest_cases.csv")
    assert why["phantom_005"] == ""
    assert why["phantom_006"] != ""


def test_evaluate_compares_the_others(
    phantoms: Path, tmp_path: Path, fails_with: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(case_comparison, "read_labels", "phantom_003", np.exceptions.AxisError("axis"))
    labels, table = phantoms / "test", tmp_path / "table.csv"

    words = ["--predictions", str(labels / "labels"), "--labels", str(labels), "--output", str(table)]
    assert main(["evaluate", *words]) == 0

    assert "AxisError" in capsys.readouterr().out
    rows = table.read_text(encoding="utf-8").splitlines()
    assert [row for row in rows if row.startswith("phantom_003") and "left out: Something unexpected" in row]
    assert [row for row in rows if row.startswith("phantom_004,")]


def test_scan_shows_the_others_and_most_lost_is_said_and_is_exit_code_3(
    phantoms: Path, fails_with: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2, 3, 4):
        fails_with(scan, "read_image", f"phantom_00{number}", MemoryError())

    assert main(["scan", str(phantoms)]) == 3

    shown = capsys.readouterr().out
    assert "phantom_003.nii.gz: It does not fit into memory." in shown
    assert "\nMost of the cases were lost: 4 of 6 could not be used." in shown
    assert "\nphantom_005 " in shown


def test_cases_without_labels_are_not_lost(a_run: Path, phantoms: Path) -> None:
    words = ["--labeled", str(phantoms), "--only", "phantom_001", "phantom_005", "phantom_006"]
    assert main(["finetune", str(a_run), *words, "--steps", "1", *SMALL[2:], *ALONE]) == 0


def test_when_most_cases_are_lost_the_job_goes_on_and_says_so(
    tmp_path: Path, phantoms: Path, fails_with: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2, 3, 4):
        fails_with(prepared_cache, "read_image", f"phantom_00{number}")

    words = ["--images", str(phantoms), "--steps", "1", *SMALL, *GRID]
    assert main(["pretrain", str(tmp_path / "run"), *words]) == 3
    assert any(line.startswith("Most of the cases were lost: 4 of 6 could") for line in caplog.messages)
    assert (tmp_path / "run" / "pretrain" / "model.json").is_file()
