"""Widgets and parameters are tied as in Slicer: pairs that work, pairs that do not, and the traps between."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated, Optional

import ctk
import pytest
import qt
import slicer
from slicer.parameterNodeWrapper import Choice, Decimals, WithinRange, parameterNodeWrapper

pytestmark = pytest.mark.usefixtures("a_slicer")


class Mode(enum.Enum):
    """Two members."""

    FAST = 1
    SLOW = 2


def wrapper_of(kind, default=None):
    """A wrapper with one parameter z of this kind."""
    fields = {"__annotations__": {"z": kind}} | ({"z": default} if default is not None else {})
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")
    return parameterNodeWrapper(type("P", (), fields))(node)


def panel_with(*widgets, name="z"):
    """A panel whose widgets carry the parameter's name."""
    panel = qt.QWidget()
    for widget in widgets:
        widget.setParent(panel)
        widget.setProperty("SlicerParameterName", name)
    return panel


CASES = [
    (str, qt.QLineEdit, "text", "hello", "hello"),
    (str, qt.QTextEdit, "plainText", "hello", "hello"),
    (int, qt.QSpinBox, "value", 7, 7),
    (float, qt.QDoubleSpinBox, "value", 0.25, 0.25),
    (float, ctk.ctkDoubleSpinBox, "value", 0.25, 0.25),
    (int, ctk.ctkDoubleSpinBox, "value", 3, 3),
    (Annotated[float, WithinRange(0, 1)], ctk.ctkSliderWidget, "value", 0.25, 0.25),
    (Annotated[int, WithinRange(0, 9)], ctk.ctkSliderWidget, "value", 4, 4),
    (Annotated[int, WithinRange(0, 9)], qt.QSlider, "value", 4, 4),
    (bool, qt.QCheckBox, "checked", True, True),
    (bool, ctk.ctkCheckBox, "checked", True, True),
    (Mode, qt.QComboBox, "currentText", Mode.SLOW, "SLOW"),
    (Annotated[str, Choice(["dice", "ce"])], qt.QComboBox, "currentText", "ce", "ce"),
    (pathlib.Path, ctk.ctkPathLineEdit, "currentPath", pathlib.Path("/a"), "/a"),
    (pathlib.Path, ctk.ctkDirectoryButton, "directory", pathlib.Path("/a"), "/a"),
]


@pytest.mark.parametrize(("kind", "widget_class", "attribute", "value", "shown"), CASES)
def test_pairs_that_work_in_both_directions(kind, widget_class, attribute, value, shown):
    widget, p = widget_class(), wrapper_of(kind)
    first = p.z
    panel = panel_with(widget)
    tag = p.connectGui(panel)

    p.z = value
    assert getattr(widget, attribute) == shown
    p.z = first
    setattr(widget, attribute, shown)
    assert p.z == value

    p.disconnectGui(tag)
    p.z = first
    assert getattr(widget, attribute) == shown


def test_label_only_shows():
    label, p = qt.QLabel(), wrapper_of(str)
    panel = panel_with(label)
    p.connectGui(panel)
    p.z = "x"
    assert label.text == "x"


@pytest.mark.parametrize(
    ("kind", "widget_class"),
    [
        (str, qt.QPlainTextEdit),
        (int, qt.QLineEdit),
        (pathlib.Path, qt.QLineEdit),
        (list[str], qt.QLineEdit),
        (float, qt.QSpinBox),
        (Optional[int], qt.QSpinBox),
        (bool, qt.QRadioButton),
        (bool, qt.QGroupBox),
        (bool, ctk.ctkCollapsibleButton),
        (str, ctk.ctkPathLineEdit),
        (str, ctk.ctkDirectoryButton),
        (Optional[slicer.vtkMRMLScalarVolumeNode], slicer.qMRMLNodeComboBox),
    ],
)
def test_pairs_that_cannot_be_tied(kind, widget_class):
    p, panel = wrapper_of(kind), panel_with(widget_class())

    with pytest.raises(
        RuntimeError, match=r"Unable to create GUI connector from datatype '.*' to widget type '"
    ):
        p.connectGui(panel)


def test_combo_box_of_a_text_needs_choices_and_a_slider_a_range():
    with pytest.raises(RuntimeError, match="requires the Choice annotation"):
        wrapper_of(str).connectGui(panel_with(qt.QComboBox()))
    with pytest.raises(RuntimeError, match="types is unbounded"):
        wrapper_of(float).connectGui(panel_with(ctk.ctkSliderWidget()))


def test_one_bad_pair_leaves_the_whole_panel_unconnected():
    good, p = qt.QSpinBox(), wrapper_of(int)
    panel = panel_with(good)
    bad = qt.QLineEdit(panel)
    bad.setProperty("SlicerParameterName", "z")

    with pytest.raises(RuntimeError):
        p.connectGui(panel)

    good.value = 9
    assert p.z == 0


def test_unknown_name_is_refused_with_the_list():
    p, panel = wrapper_of(int), panel_with(qt.QSpinBox(), name="y")
    with pytest.raises(ValueError, match=r"'y'; there are \['z'\]"):
        p.connectGui(panel)


def test_of_two_widgets_with_one_name_the_last_is_tied():
    one, two, p = qt.QSpinBox(), qt.QSpinBox(), wrapper_of(int)
    panel = panel_with(one, two)
    p.connectGui(panel)

    one.value = 5
    assert p.z == 0
    two.value = 6
    assert p.z == 6


def test_unbounded_spin_box_loses_its_range():
    spin, p = qt.QSpinBox(), wrapper_of(int)
    spin.setRange(0, 10)
    panel = panel_with(spin)
    p.connectGui(panel)

    p.z = 500

    assert spin.value == 500


def test_small_numbers_need_decimals():
    plain, exact = qt.QDoubleSpinBox(), qt.QDoubleSpinBox()
    panels = panel_with(plain), panel_with(exact)
    wrapper_of(float, 1e-4).connectGui(panels[0])
    wrapper_of(Annotated[float, Decimals(6)], 1e-4).connectGui(panels[1])

    assert (plain.value, exact.value) == (0.0, 1e-4)


def test_node_selector_needs_the_scene_first():
    p, early, late = (
        wrapper_of(slicer.vtkMRMLScalarVolumeNode),
        slicer.qMRMLNodeComboBox(),
        slicer.qMRMLNodeComboBox(),
    )
    p.z = volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    late.nodeTypes = early.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    late.setMRMLScene(slicer.mrmlScene)
    panels = panel_with(early), panel_with(late)

    p.connectGui(panels[0])
    assert (early.currentNode(), p.z) == (None, volume)
    p.connectGui(panels[1])
    assert late.currentNode() is volume


def test_removed_node_moves_the_parameter_to_the_next():
    selector, p = slicer.qMRMLNodeComboBox(), wrapper_of(slicer.vtkMRMLScalarVolumeNode)
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    first, second = (slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode") for _ in range(2))
    panel = panel_with(selector)
    p.connectGui(panel)
    p.z = first

    slicer.mrmlScene.RemoveNode(first)

    assert p.z is second


def test_cleared_scene_refreshes_widgets_only_when_they_are_connected_again():
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class TrialLogic(ScriptedLoadableModuleLogic):
        """A logic."""

    p = parameterNodeWrapper(type("P", (), {"__annotations__": {"z": str}, "z": "new"}))(
        TrialLogic().getParameterNode()
    )
    line = qt.QLineEdit()
    panel = panel_with(line)
    tag = p.connectGui(panel)
    p.z = "typed"

    slicer.mrmlScene.Clear()
    assert (line.text, p.z) == ("typed", "new")

    p.disconnectGui(tag)
    p.connectGui(panel)
    assert line.text == "new"
