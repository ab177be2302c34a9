"""The table of an evaluation, as CSV and as text."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import LeftOut
from ContrastiveSegLib.evaluation.metrics import MISSED, compare
from ContrastiveSegLib.evaluation.report import COLUMNS, EvaluationReport
from ContrastiveSegLib.evaluation.summary import CaseMetrics, summarize


@pytest.fixture
def a_report() -> EvaluationReport:
    """Two patients; the second one's liver, in a name with a comma, was missed."""
    truth = np.zeros((4, 10, 10), dtype=np.int16)
    truth[1:3, 2:8, 2:8] = 1
    rows = []
    for case, prediction in (("anna", truth), ("bert, left", np.zeros_like(truth))):
        (metrics,) = compare(prediction, truth, spacing_khw=(5.0, 2.0, 2.0), values=[1])
        rows.append(CaseMetrics(case, case[:4], "liver", metrics))
    files = [LeftOut(Path(f"case{n}.nii.gz"), "no prediction of this case") for n in range(7)]
    return EvaluationReport(tuple(rows), summarize(rows), tuple(files), ("anna: something to know",))


def test_csv_has_a_line_per_case_and_structure_and_per_file_left_out(a_report: EvaluationReport) -> None:
    lines = list(csv.DictReader(io.StringIO(a_report.to_csv())))

    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == 2 + 7
    assert (lines[0]["case"], lines[0]["structure"], lines[0]["dice"]) == ("anna", "liver", "1")
    assert (lines[0]["label_voxels"], lines[0]["label_volume_ml"]) == ("72", "1.44")
    assert lines[1]["case"] == "bert, left"
    assert (lines[1]["dice"], lines[1]["hd95_mm"], lines[1]["note"]) == ("0", "", MISSED)
    assert (lines[2]["case"], lines[2]["note"]) == ("case0.nii.gz", "left out: no prediction of this case")


def test_text_shows_mean_and_spread_of_each_structure(a_report: EvaluationReport) -> None:
    heading, liver, *_ = a_report.to_text().splitlines()

    assert heading.split()[:3] == ["structure", "Dice", "HD95"]
    assert " ".join(liver.split()) == "liver 0.500 ± 0.707 0.00 0.00 0.667 2 2 1 0 0"
    assert len(heading) == len(liver)


def test_text_says_what_the_figures_do_not(a_report: EvaluationReport) -> None:
    text = a_report.to_text()

    assert (
        "Missed (only in the label) or invented (only in the prediction), 1 x: the Dice of 0 counts" in text
    )
    assert "Note: anna: something to know" in text
    assert "Left out, 7 x no prediction of this case: case0.nii.gz, case1.nii.gz" in text
    assert "case5.nii.gz" not in text
