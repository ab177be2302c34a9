"""Paths are taken when they are complete, and emptying a field has an effect; keys pressed as a user does."""

from __future__ import annotations

import pytest
import slicer
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest


def _line(field):
    return field.comboBox().lineEdit()


def _empty(field):
    _line(field).selectAll()
    QTest.keyClick(_line(field), Qt.Key.Key_Backspace)


@pytest.fixture
def readings(a_quick_panel, monkeypatch):
    """The folders that the panel began to read."""
    begun, read = [], a_quick_panel.panel.data.reader.read

    def remember(folder):
        begun.append(folder)
        read(folder)

    monkeypatch.setattr(a_quick_panel.panel.data.reader, "read", remember)
    return begun


def test_typing_a_path_reads_nothing_until_it_is_finished(a_quick_panel, phantoms, readings):
    panel = a_quick_panel

    QTest.keyClicks(_line(panel.ui.dataFolder), str(phantoms))
    assert (readings, panel.panel.parameters.dataFolder) == ([], "")
    QTest.keyClick(_line(panel.ui.dataFolder), Qt.Key.Key_Return)

    assert readings == [str(phantoms)]
    assert panel.panel.parameters.dataFolder == str(phantoms)
    assert panel.panel.parameters.runFolder.endswith("_phantoms")


def test_the_same_folder_chosen_again_is_read_again(a_quick_panel, phantoms, readings):
    panel = a_quick_panel
    panel.ui.dataFolder.currentPath = str(phantoms)

    panel.slicer.dialogs.answer(str(phantoms), to="directory")
    button = next(child for child in panel.ui.dataFolder.children() if child.className() == "QToolButton")
    button.click()

    assert readings == [str(phantoms)] * 2


def test_a_typed_path_counts_when_start_is_pressed(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")

    QTest.keyClicks(_line(panel.ui.pretrainedRun), str(tmp_path / "other"))
    assert panel.panel.parameters.pretrainedRun == ""
    panel.ui.checkButton.click()

    assert panel.panel.parameters.pretrainedRun == str(tmp_path / "other")
    panel.wait(lambda: not panel.panel.monitor.isBusy)


def test_emptying_a_field_takes_its_path_away(a_quick_panel, phantoms, tmp_path):
    panel, parameters = a_quick_panel, a_quick_panel.panel.parameters
    panel.choose(phantoms, tmp_path / "run")
    panel.ui.externalPython.currentPath = str(tmp_path / "python")
    panel.ui.pretrainedRun.currentPath = str(tmp_path / "other")
    panel.ui.refineCheckpoint.currentPath = str(tmp_path / "weights.pth")
    assert panel.ui.setupFound.text.startswith("Jobs run in")

    fields = ("externalPython", "pretrainedRun", "refineCheckpoint", "dataFolder", "runFolder")
    for name in fields:
        _empty(getattr(panel.ui, name))
    panel.wait(lambda: not parameters.runFolder)

    assert panel.logic.externalPython() == ""
    assert panel.ui.setupFound.text.startswith("Python ")
    kept = (parameters.pretrainedRun, parameters.refineCheckpoint, parameters.dataFolder)
    assert kept == ("", "", "")
    assert panel.ui.caseTable.rowCount == 0
    assert [panel.state(step) for step in ("data", "pretrain", "annotate")] == ["missing"] * 3


def test_a_field_that_is_emptied_for_another_path_is_asked_once(a_quick_panel, phantoms, tmp_path, readings):
    panel = a_quick_panel
    panel.ui.dataFolder.currentPath = str(tmp_path)

    _empty(panel.ui.dataFolder)
    QTest.keyClicks(_line(panel.ui.dataFolder), str(phantoms))
    QTest.keyClick(_line(panel.ui.dataFolder), Qt.Key.Key_Return)

    assert readings == [str(tmp_path), str(phantoms)]


def test_after_a_run_is_deleted_the_panel_shows_none(a_quick_panel, phantoms, tmp_path, a_pretrained_run):
    import qt

    panel = a_quick_panel
    panel.choose(phantoms, a_pretrained_run)
    panel.slicer.dialogs.answer(qt.QMessageBox.Ok, to="This cannot be undone")

    panel.ui.deleteRunButton.click()

    assert (panel.ui.runFolder.currentPath, panel.panel.parameters.runFolder) == ("", "")
    assert panel.panel.run is None
    assert "There is no run folder yet" in panel.ui.runInfo.text
    assert panel.state("pretrain") == "missing"
    assert slicer.util.getNodesByClass("vtkMRMLPlotChartNode") == []
