"""The table of predictions shows which Dice is expected of each, as far as a job has told it."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

CASES = [f"phantom_00{n}" for n in range(1, 7)]


@pytest.fixture
def a_panel(a_quick_panel, phantoms, a_learned_run):
    """With six predicted cases, whose table says nothing of their quality yet."""
    a_quick_panel.choose(phantoms, a_learned_run)
    a_quick_panel.ui.predictStep.collapsed = False
    return a_quick_panel


def _write(run, expected):
    rows = [f"{case},{case}.nii.gz,done,,{value}" for case, value in expected.items()]
    lines = ["case,image,outcome,reason,expected_dice", *rows, ",notes.txt,left out,no volume,"]
    (run / "predictions" / "predict_cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _shown(table):
    return [[table.item(row, n).text() for n in range(table.columnCount)] for row in range(table.rowCount)]


def test_expected_dice_is_a_column_and_a_click_brings_the_worst_to_the_top(a_panel, a_learned_run):
    table = a_panel.ui.predictionTable
    assert _shown(table) == [[case] for case in CASES]
    values = ["0.9100", "0.0800", "0.7000", "", "not a number", "0.1000"]
    _write(a_learned_run, dict(zip(CASES, values, strict=True)))

    a_panel.panel.refresh()
    header = table.horizontalHeader()
    point = header.viewport().rect.center()
    point.setX(header.sectionViewportPosition(1) + 5)
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)

    assert [table.horizontalHeaderItem(n).text() for n in range(2)] == ["Predicted case", "Expected Dice"]
    known = [row for row in _shown(table) if row[1]]
    assert known == [[CASES[1], "0.08"], [CASES[5], "0.1"], [CASES[2], "0.7"], [CASES[0], "0.91"]]
    assert "worst" in table.horizontalHeaderItem(1).toolTip()
    assert table.horizontalScrollBar().maximum == 0


def test_what_a_job_tells_of_one_case_is_shown_beside_the_others(a_panel, a_learned_run):
    table = a_panel.ui.predictionTable
    _write(a_learned_run, {CASES[0]: 0.5})

    a_panel.panel.predict.predicted.onEvents(
        [
            {"kind": "result", "case": CASES[2], "expected_dice": 0.25},
            {"kind": "result", "case": CASES[3], "expected_dice": float("nan")},
        ]
    )
    a_panel.panel.refresh()

    assert {case: value for case, value in _shown(table) if value} == {CASES[0]: "0.5", CASES[2]: "0.25"}


def test_what_a_job_told_before_this_panel_was_opened_is_shown(a_panel, a_learned_run, tmp_path):
    event = {"kind": "result", "job": "predict", "case": CASES[4], "expected_dice": 0.75, "time": 1.0}
    with (a_learned_run / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write(json.dumps(event) + "\n")

    a_panel.ui.runFolder.currentPath = str(tmp_path / "other")
    assert a_panel.ui.predictionTable.rowCount == 0
    a_panel.ui.runFolder.currentPath = str(a_learned_run)

    assert [CASES[4], "0.75"] in _shown(a_panel.ui.predictionTable)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe broken", b"case,expected_dice\nphantom_001\n,0.3\n"])
def test_a_table_that_says_nothing_changes_nothing(a_panel, a_learned_run, content):
    (a_learned_run / "predictions" / "predict_cases.csv").write_bytes(content)

    a_panel.panel.refresh()

    assert _shown(a_panel.ui.predictionTable) == [[case] for case in CASES]
