"""The report beside predictions: both files say the same, and a damaged one is made again."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from ContrastiveSegLib.evaluation.structure_measures import StructureMeasures
from ContrastiveSegLib.training.prediction_summary import (
    COLUMNS,
    PredictedCase,
    read_summary,
    write_summary,
)

HEART = StructureMeasures(
    "heart, left",
    3,
    12.34567,
    90.0,
    None,
    80.0,
    100.0,
    (1.0, 2.0, 3.0),
    ((0.0, 0.0, 0.0), (2.0, 4.0, 6.0)),
    True,
)


def _case(name: str, expected: float = 0.91) -> PredictedCase:
    structures = [HEART, StructureMeasures("liver", 4, 0.0)]
    return PredictedCase(
        name, ("a.nii", "b.nii"), "a.seg.nrrd", "unet", 2, "0123abcd", "0.1.0", 1.5, 300, expected, structures
    )


def test_table_and_json_say_the_same_in_the_order_of_names(tmp_path: Path) -> None:
    write_summary(
        tmp_path / "summary.json",
        tmp_path / "summary.csv",
        [_case("b", math.nan).to_json(), _case("a").to_json()],
    )

    with (tmp_path / "summary.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["case"], row["structure"]) for row in rows] == [
        (case, structure) for case in "ab" for structure in ("heart, left", "liver")
    ]
    assert rows[0]["volume_ml"] == "12.3457"
    assert (rows[0]["centroid_y_mm"], rows[0]["max_z_mm"], rows[0]["touches_border"]) == (
        "2.0",
        "6.0",
        "True",
    )
    assert (rows[1]["gray_mean"], rows[1]["min_x_mm"], rows[1]["touches_border"]) == ("", "", "")
    assert (rows[0]["expected_dice"], rows[2]["expected_dice"]) == ("0.91", "")
    entries = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["cases"]
    assert entries[0]["structures"][0]["volume_ml"] == 12.34567
    assert read_summary(tmp_path / "summary.json") == {entry["case"]: entry for entry in entries}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cases": 3}', '{"cases": [{"case": "a"}]}', "[" * 100_000]
)
def test_a_damaged_summary_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text, encoding="utf-8")

    assert read_summary(tmp_path / "summary.json") == {}
    assert read_summary(tmp_path / "nowhere") == {}
