"""The table says the same in CSV and in JSON."""

from __future__ import annotations

import csv
import io
import json

from ContrastiveSegLib.active_learning.report import to_csv, to_json, to_text
from ContrastiveSegLib.active_learning.slice_positions import Place
from ContrastiveSegLib.active_learning.suggestions import Suggestion

CASE = Suggestion(1, "case", "knee, left", "p1", None, 3, 1.0, 0.25, None, None, 'typical of "many"; odd')
SLICE = Suggestion(1, "slice", "hip", "p2", Place(7, "j", "P", -12.5), 2, 0.123456, 0.5, 0.9, 0.02, "typical")


def test_a_row_holds_what_the_suggestion_says_and_nothing_where_nothing_applies():
    first, second = csv.DictReader(io.StringIO(to_csv([CASE, SLICE])))

    assert (first["case"], first["reason"], first["slice"], first["novelty"]) == (
        "knee, left",
        'typical of "many"; odd',
        "",
        "",
    )
    assert {key: second[key] for key in ("slice", "axis", "toward", "position_mm", "score")} == {
        "slice": "7",
        "axis": "j",
        "toward": "P",
        "position_mm": "-12.5",
        "score": "0.1235",
    }


def test_json_has_the_same_rows_and_null_for_nothing():
    page = json.loads(to_json([CASE, SLICE], seed=3))

    assert (page["format"], page["seed"]) == (1, 3)
    assert page["suggestions"][0]["slice"] is None
    assert page["suggestions"][1]["slice"] == 7
    for row, read in zip(
        page["suggestions"], csv.DictReader(io.StringIO(to_csv([CASE, SLICE]))), strict=True
    ):
        assert {key: "" if value is None else str(value) for key, value in row.items()} == read


def test_the_terminal_shows_where_the_slice_is():
    assert to_text([CASE, SLICE]).splitlines()[1:] == [
        '  1 case   1.00  knee, left: typical of "many"; odd',
        "  1 slice  0.12  hip, slice 7 along j: typical",
    ]
