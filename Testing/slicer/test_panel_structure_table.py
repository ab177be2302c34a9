"""The table of structures shows what the job measured, and can be copied into a spreadsheet."""

from __future__ import annotations

import csv

import pytest
from PySide6.QtWidgets import QApplication

from ContrastiveSegLib.runs.run_folder import RunFolder

CASE = "phantom_003"
HEADER = "case,structure,value,volume_ml,gray_mean,gray_sd,touches_border,expected_dice"


@pytest.fixture
def a_panel(a_quick_panel, phantoms, a_learned_run):
    """With predictions, none of which is shown yet."""
    a_quick_panel.choose(phantoms, a_learned_run)
    a_quick_panel.ui.predictStep.collapsed = False
    return a_quick_panel


def _open(panel):
    rows = range(panel.ui.predictionTable.rowCount)
    row = next(row for row in rows if panel.ui.predictionTable.item(row, 0).text() == CASE)
    panel.ui.predictionTable.cellDoubleClicked.emit(row, 0)


def _shown(table):
    columns = range(table.columnCount)
    header = [table.horizontalHeaderItem(n).text() for n in columns]
    return [header, *([table.item(row, n).text() for n in columns] for row in range(table.rowCount))]


def _copied(panel):
    QApplication.clipboard().setText("of another program")
    panel.ui.copyTableButton.click()
    return list(csv.reader(QApplication.clipboard().text().splitlines(), delimiter="\t"))


def _volumes(panel):
    return [float(row[2]) for row in _copied(panel)[1:]]


def _write(run, text):
    RunFolder(run).summary().write_text(f"{HEADER}\n{text}", encoding="utf-8")


def test_without_a_summary_structures_and_volumes_are_shown_and_copied(a_panel):
    assert not a_panel.ui.copyTableButton.enabled
    assert a_panel.ui.copyTableButton.toolTip == "Show a prediction first."

    _open(a_panel)

    shown = _shown(a_panel.ui.volumesTable)
    assert shown[0] == ["Structure", "Volume (ml)"]
    copied = _copied(a_panel)
    assert copied[0] == ["case", "structure", "volume_ml"]
    assert [row[:2] for row in copied[1:]] == [[CASE, "bright"], [CASE, "middle"]]
    assert [str(round(float(row[2]), 2)) for row in copied[1:]] == [row[1] for row in shown[1:]]


def test_what_the_job_measured_is_shown_and_all_of_it_is_copied(a_panel, a_learned_run):
    _open(a_panel)
    bright, middle = _volumes(a_panel)
    rows = [
        f"{CASE},bright,1,{bright},412.34567,35.2,True,0.91",
        f"{CASE},middle,2,{middle},97.5,,False,0.91",
        "phantom_001,bright,1,1.0,1.0,1.0,False,0.5",
    ]
    _write(a_learned_run, "\n".join(rows))

    _open(a_panel)
    a_panel.panel.show(a_panel.panel.data.load("phantom_001"))
    assert not a_panel.ui.copyTableButton.enabled
    _open(a_panel)

    table = a_panel.ui.volumesTable
    assert _shown(table) == [
        ["Structure", "ml", "Gray values", "Border"],
        ["bright", table.item(0, 1).text(), "412.3 ± 35", "touches"],
        ["middle", table.item(1, 1).text(), "97.5", ""],
    ]
    assert "a part of it may be missing" in table.item(0, 0).toolTip()
    assert "expected_dice: 0.91" in table.item(0, 0).toolTip()
    assert _copied(a_panel) == [HEADER.split(","), *(row.split(",") for row in rows[:2])]
    assert table.horizontalScrollBar().maximum == 0


@pytest.mark.parametrize(
    "text",
    [
        f"{CASE},bright,1,987.0,412.3,35.2,True,0.91\n{CASE},middle,2,654.0,97.5,,False,0.91",
        f"{CASE},bright\n{CASE},,,,,,,,,,,\n\0,",
        "phantom_001,bright,1,1.0,1.0,1.0,False,0.5",
    ],
)
def test_a_summary_of_something_else_is_not_shown(a_panel, a_learned_run, text):
    _write(a_learned_run, text)

    _open(a_panel)

    assert _shown(a_panel.ui.volumesTable)[0] == ["Structure", "Volume (ml)"]
    assert _copied(a_panel)[0] == ["case", "structure", "volume_ml"]
