"""The stand-ins for CTK's widgets fold, browse and count as CTK's do."""

from __future__ import annotations

import ctk
import pytest
import qt
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

pytestmark = pytest.mark.usefixtures("a_slicer")


@pytest.fixture
def a_step():
    """A collapsible button with a line in it, shown."""
    step = ctk.ctkCollapsibleButton()
    step.text = "1. Data"
    qt.QFormLayout(step).addRow("Name:", qt.QLineEdit())
    step.show()
    yield step
    step.hide()


def test_folding_hides_the_contents_and_tells(a_step):
    told = []
    a_step.connect("contentsCollapsed(bool)", told.append)
    line = a_step.findChild(qt.QLineEdit)

    a_step.collapsed = True
    assert (line.visible, a_step.checked, told) == (False, False, [True])

    a_step.click()
    assert (line.visible, a_step.collapsed, told) == (True, False, [True, False])


def test_what_was_hidden_by_code_stays_hidden(a_step):
    line = a_step.findChild(qt.QLineEdit)
    line.setVisible(False)

    a_step.collapsed = True
    a_step.collapsed = False

    assert not line.visible


def test_folded_step_is_as_high_as_its_title(a_step):
    unfolded = a_step.sizeHint().height()
    a_step.collapsed = True
    assert a_step.sizeHint().height() < unfolded


def test_group_box_folds_with_its_check_mark():
    group = ctk.ctkCollapsibleGroupBox()
    qt.QVBoxLayout(group).addWidget(qt.QLabel("x"))
    group.show()

    group.collapsed = True
    assert not group.checked
    group.setChecked(True)
    assert not group.collapsed


def test_path_line_tells_and_browses(a_slicer, tmp_path):
    line, told = ctk.ctkPathLineEdit(), []
    line.connect("currentPathChanged(QString)", told.append)

    line.currentPath = "/a"
    a_slicer.dialogs.answer(str(tmp_path), to="file")
    line.browse()

    assert told == ["/a", str(tmp_path)]
    assert line.currentPath == str(tmp_path)


def test_path_line_tells_every_keystroke_and_nothing_when_it_is_emptied():
    line, told, finished = ctk.ctkPathLineEdit(), [], []
    line.connect("currentPathChanged(QString)", told.append)
    edit = line.comboBox().lineEdit()
    edit.connect("editingFinished()", lambda: finished.append(line.currentPath))

    QTest.keyClicks(edit, "/a")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    edit.selectAll()
    QTest.keyClick(edit, Qt.Key.Key_Backspace)
    QTest.keyClick(edit, Qt.Key.Key_Return)

    # Twice for one Return: the combo box around the line passes the key on once more.
    assert (told, finished, line.currentPath) == (["/", "/a"], ["/a", "/a"], "")


def test_cancelled_browsing_changes_nothing(a_slicer):
    line = ctk.ctkPathLineEdit()
    line.filters = line.Dirs
    line.currentPath = "/a"

    line.browse()

    assert line.currentPath == "/a"
    assert a_slicer.dialogs.shown[0].kind == "QFileDialog.getExistingDirectory"


def test_directory_button_shows_and_tells(a_slicer, tmp_path):
    button, told = ctk.ctkDirectoryButton(), []
    button.connect("directoryChanged(QString)", told.append)

    a_slicer.dialogs.answer(str(tmp_path))
    button.browse()

    assert (button.directory, told) == (str(tmp_path), [str(tmp_path)])


def test_slider_and_spin_box_are_one_value():
    slider, told = ctk.ctkSliderWidget(), []
    slider.minimum, slider.maximum, slider.decimals, slider.singleStep = 0, 2, 3, 0.001
    slider.connect("valueChanged(double)", told.append)

    slider.value = 0.125

    assert told == [0.125]
    assert slider.findChild(ctk.ctkDoubleSlider).value == 0.125


def test_stand_ins_refuse_unknown_attributes():
    with pytest.raises(AttributeError, match="'ctkSliderWidget' object has no property 'range'"):
        ctk.ctkSliderWidget().range = (0, 1)
