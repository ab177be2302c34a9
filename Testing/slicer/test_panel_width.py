"""The panel fits a narrow dock, whatever is unfolded and however long paths and names are."""

from __future__ import annotations

import shutil

import pytest
from PySide6.QtWidgets import QWidget

STEPS = ("setup", "data", "pretrain", "annotate", "finetune", "predict", "evaluate")
NARROW = 330  # how wide the module panel is when Slicer starts; scroll bar and frames take 30 of it


def _fold(panel, *, unfolded):
    for step in STEPS:
        panel.child(f"{step}Step").collapsed = step not in unfolded
    for box in ("pretrainSettings", "finetuneSettings", "propagateBox", "refineBox", "setupLogBox"):
        getattr(panel.ui, box).collapsed = not unfolded
    panel.slicer.process_events()


def _least(widget):
    hint = widget.minimumSizeHint  # a property for PythonQt, a method where a stand-in has its own
    return (hint() if callable(hint) else hint).width()


def _least_width(panel):
    whole = panel.widget.uiWidget
    return max(whole.layout().minimumSize().width(), whole.minimumWidth)


def _widest(panel):
    """For the message: what asks for most."""
    shown = [w for w in panel.widget.uiWidget.findChildren(QWidget) if w.isVisible()]
    return [f"{_least(w)} {w.objectName}" for w in shown if _least(w) > 230]


def test_every_step_fits_the_width_that_slicer_starts_with(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    deep = tmp_path / ("a_folder_with_a_very_long_name_" * 3) / "2026-11-21_hippocampus_run_with_a_long_name"
    panel.choose(phantoms, deep)

    _fold(panel, unfolded=STEPS)

    assert _least_width(panel) <= NARROW - 30, _widest(panel)


@pytest.mark.parametrize("step", STEPS)
def test_unfolding_a_step_leaves_the_dock_as_wide_as_it_was(a_quick_panel, phantoms, tmp_path, step):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    _fold(panel, unfolded=())
    before = _least_width(panel)

    _fold(panel, unfolded=(step,))

    assert _least_width(panel) == before, _widest(panel)


def test_long_messages_with_paths_are_broken(a_quick_panel):
    panel = a_quick_panel
    before = _least_width(panel)
    path = "/data/" + "a_folder_with_a_very_long_name/" * 4 + "x" * 80

    panel.panel.pretrain.fail(f"The file {path} cannot be read.")
    panel.ui.pretrainStep.collapsed = False
    panel.slicer.process_events()

    assert panel.ui.pretrainState.text.replace("\u200b", "").endswith(f"The file {path} cannot be read.")
    assert _least_width(panel) == before, _widest(panel)


def test_the_case_table_shows_its_columns_without_scrolling(a_quick_panel, phantoms, tmp_path):
    panel, table = a_quick_panel, a_quick_panel.ui.caseTable
    folder = tmp_path / "data"
    folder.mkdir()
    source = next((phantoms / "test" / "images").glob("*.nii.gz"))
    for number in range(8):  # so many that the table has a vertical scroll bar
        shutil.copyfile(source, folder / f"{number}{'_very_long_name_of_a_case' * 4}.nii.gz")
    (folder / "notes.txt").write_text("no volume", encoding="utf-8")
    panel.choose(folder, tmp_path / "run")
    panel.ui.dataStep.collapsed = False

    for width in (500, NARROW - 60):
        table.setFixedWidth(width)
        panel.slicer.process_events()

        assert table.horizontalScrollBar().maximum == 0
        header = table.horizontalHeader()
        assert [table.horizontalHeaderItem(n).text() for n in range(3)] == ["Case", "Annotated", "Remark"]
        assert header.length() <= table.viewport().width
        assert min(table.columnWidth(n) for n in range(3)) > 50
    assert "_very_long_name_of_a_case" * 4 in table.item(0, 2).toolTip()
