"""From two folders to a table: what is compared, what is reported, what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadFolder, CannotWrite
from ContrastiveSegLib.evaluation.metrics import ABSENT, INVENTED, MISSED
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.jobs.evaluate import evaluate, run
from ContrastiveSegLib.settings.job_settings import CaseSelection, EvaluateSettings

GRID = Geometry((12, 10, 4), (1.5, 1.5, 6.0))
ORGANS = LabelTable((Structure(1, "liver", (1, 0, 0)), Structure(2, "spleen", (0, 1, 0))))
# Voxels of liver and spleen: a 3 x 4 block per slice for every 12.
LIVER, BOTH = (24, 0), (24, 12)


def labeling(liver: int, spleen: int) -> Volume:
    """A label map with so many voxels of liver and of spleen, in rows that they do not share."""
    array = np.zeros(GRID.shape, np.int16)
    array[:2].flat[:liver] = 1
    array[2:].flat[:spleen] = 2
    return Volume(array, GRID)


def write(folder: Path, cases: dict[str, tuple[int, int]], suffix: str) -> Path:
    for name, voxels in cases.items():
        write_labels(folder / f"{name}{suffix}", labeling(*voxels), ORGANS)
    return folder


@pytest.fixture
def a_study(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and labels of two patients, one of them with two frames."""
    truth = {"p1_frame01": BOTH, "p1_frame02": BOTH, "p2_frame01": LIVER, "p3_frame01": BOTH}
    found = {"p1_frame01": BOTH, "p1_frame02": (12, 0), "p2_frame01": (48, 12), "p9_frame01": BOTH}
    predictions = write(tmp_path / "predictions", found, ".seg.nrrd")
    write_image(predictions / "p1_frame01_uncertainty.nrrd", Volume(np.ones(GRID.shape, np.float32), GRID))
    return predictions, write(tmp_path / "labels", truth, ".nii.gz")


def test_patients_are_averaged_and_the_pooled_dice_stands_beside(a_study: tuple[Path, Path]) -> None:
    report = evaluate(*a_study)

    liver, spleen, overall = report.summary
    # Patient 1: frames with 1 and 2 * 12 / 36; patient 2: 2 * 24 / 72.
    assert liver.dice.mean == pytest.approx(((1 + 2 / 3) / 2 + 2 / 3) / 2)
    assert liver.pooled_dice == pytest.approx(2 * (24 + 12 + 24) / (84 + 72))
    assert (liver.dice.patients, liver.cases) == (2, 3)
    # Patient 1: 1 and missed; patient 2: invented.
    assert spleen.dice.mean == pytest.approx((0.5 + 0.0) / 2)
    assert (spleen.missed, spleen.invented, spleen.absent) == (1, 1, 0)
    assert overall.dice.mean == pytest.approx(((5 / 6 + 0.5) / 2 + (2 / 3 + 0) / 2) / 2)


def test_every_case_has_a_row_for_every_structure(a_study: tuple[Path, Path]) -> None:
    report = evaluate(*a_study)

    rows = {(row.case, row.structure): row.metrics for row in report.rows}
    assert len(rows) == len(report.rows) == 6
    assert rows["p1_frame02", "spleen"].note == MISSED
    assert rows["p2_frame01", "spleen"].note == INVENTED
    assert {row.patient for row in report.rows} == {"p1", "p2"}


def test_a_structure_absent_from_one_case_is_said_to_be(tmp_path: Path) -> None:
    cases = {"a": BOTH, "b": LIVER}
    predictions = write(tmp_path / "predictions", cases, ".nii.gz")

    report = evaluate(predictions, write(tmp_path / "labels", cases, ".nii.gz"))

    assert [(r.case, r.metrics.note) for r in report.rows if r.structure == "structure 2"] == [
        ("a", ""),
        ("b", ABSENT),
    ]
    assert report.summary[1].absent == 1


def test_what_stays_alone_is_reported(a_study: tuple[Path, Path]) -> None:
    report = evaluate(*a_study)

    assert {(file.path.name, file.reason) for file in report.left_out} == {
        ("p9_frame01.seg.nrrd", "no label of this case"),
        ("p3_frame01.nii.gz", "no prediction of this case"),
    }


def test_a_structure_that_no_label_has_is_not_compared_and_noted(tmp_path: Path) -> None:
    predictions = write(tmp_path / "predictions", {"a": BOTH}, ".seg.nrrd")

    report = evaluate(predictions, write(tmp_path / "labels", {"a": LIVER}, ".nii.gz"))

    assert [row.structure for row in report.rows] == ["liver"]
    assert report.notes == ("Predicted, but in no label, and so not compared: spleen.",)


def test_a_damaged_file_is_left_out_with_its_reason(a_study: tuple[Path, Path]) -> None:
    predictions, labels = a_study
    (predictions / "p2_frame01.seg.nrrd").write_bytes(b"")

    report = evaluate(predictions, labels)

    (damaged,) = [file for file in report.left_out if file.path.name == "p2_frame01.seg.nrrd"]
    assert "empty" in damaged.reason or "zero" in damaged.reason
    assert {row.patient for row in report.rows} == {"p1"}


def test_nothing_that_could_be_compared_is_an_error_with_the_first_reasons(tmp_path: Path) -> None:
    names = dict.fromkeys("abcde", BOTH)
    predictions = write(tmp_path / "predictions", names, ".seg.nrrd")
    labels = write(tmp_path / "labels", names, ".nii.gz")
    for name in names:
        (labels / f"{name}.nii.gz").write_bytes(b"")

    with pytest.raises(BadFolder) as refused:
        evaluate(predictions, labels)

    assert refused.value.what.startswith("None of the 5 predictions could be compared. (1) ")
    assert [f"{name}.nii.gz is empty" in refused.value.what for name in names] == [True] * 3 + [False] * 2
    assert refused.value.what.endswith(" And 2 more.")


def test_labels_of_nothing_but_background_are_an_error(tmp_path: Path) -> None:
    empty = {"a": (0, 0)}
    predictions = write(tmp_path / "predictions", empty, ".nii.gz")

    with pytest.raises(BadFolder, match="The labels of all 1 cases are background only"):
        evaluate(predictions, write(tmp_path / "labels", empty, ".nii.gz"))


def test_run_prints_the_summary_and_writes_the_table(
    a_study: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new folder" / "Bericht für Zoë.csv"
    cases = CaseSelection(only=("p1",))

    run(EvaluateSettings(predictions=a_study[0], labels=a_study[1], output=output, cases=cases))

    shown = capsys.readouterr().out
    assert "liver" in shown
    assert str(output) in shown
    with output.open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["case"], line["structure"]) for line in lines if line["structure"]] == [
        ("p1_frame01", "liver"),
        ("p1_frame01", "spleen"),
        ("p1_frame02", "liver"),
        ("p1_frame02", "spleen"),
    ]


def test_a_table_that_is_there_is_replaced_only_when_asked(
    a_study: tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "report.csv"
    output.write_text("precious", encoding="utf-8")
    predictions, labels = a_study

    with pytest.raises(CannotWrite, match=r"report\.csv exists already"):
        run(EvaluateSettings(predictions=predictions, labels=labels, output=output))
    assert output.read_text(encoding="utf-8") == "precious"

    run(EvaluateSettings(predictions=predictions, labels=labels, output=output, overwrite=True))
    assert output.read_text(encoding="utf-8").startswith("case,patient,structure")
