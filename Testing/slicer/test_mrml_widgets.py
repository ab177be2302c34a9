"""Selectors follow the scene; tables and segments show their nodes."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer


@pytest.fixture
def a_selector(a_slicer):
    """A selector of scalar volumes in the scene."""
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def a_node(name, kind="vtkMRMLScalarVolumeNode"):
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


def test_first_node_is_chosen_unless_none_is_allowed(a_selector):
    a_selector.noneEnabled = True
    first = a_node("one")
    assert a_selector.currentNode() is None

    a_selector.noneEnabled = False
    a_selector.setCurrentNode(first)
    assert a_selector.currentNodeID == first.GetID()


def test_choice_is_told_with_node_and_identifier(a_selector):
    nodes, identifiers = [], []
    a_selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    a_selector.connect("currentNodeIDChanged(QString)", identifiers.append)

    one, two = a_node("one"), a_node("two")
    a_selector.setCurrentNode(two)

    assert [node.GetName() for node in nodes] == ["one", "two"]
    assert identifiers == [one.GetID(), two.GetID()]


def test_removing_the_chosen_node_jumps_to_the_next(a_selector):
    one, two = a_node("one"), a_node("two")
    a_selector.setCurrentNode(one)

    slicer.mrmlScene.RemoveNode(one)

    assert a_selector.currentNode() is two


def test_other_classes_and_hidden_nodes_are_not_offered(a_selector):
    a_node("table", "vtkMRMLTableNode")
    hidden = a_node("hidden")
    hidden.SetHideFromEditors(True)
    a_selector.setMRMLScene(slicer.mrmlScene)

    assert a_selector.nodeCount() == 0


def test_attribute_filters(a_selector):
    marked = a_node("marked")
    a_node("other")
    marked.SetAttribute("ours", "yes")

    a_selector.addAttribute("vtkMRMLScalarVolumeNode", "ours", "yes")

    assert a_selector.nodeCount() == 1
    assert a_selector.nodeFromIndex(0) is marked


def test_clear_empties_the_selector(a_selector):
    a_node("one")
    slicer.mrmlScene.Clear()
    assert (a_selector.nodeCount(), a_selector.currentNode()) == (0, None)


def test_table_view_shows_columns_and_follows_changes(a_slicer):
    view, node = slicer.qMRMLTableView(), a_node("volumes", "vtkMRMLTableNode")
    node.SetUseColumnTitleAsColumnHeader(True)
    view.setMRMLScene(slicer.mrmlScene)
    view.setMRMLTableNode(node)

    slicer.util.updateTableFromArray(node, (np.array([10.25, 9.5]),), ["ml"])

    model = view.tableModel()
    assert (model.rowCount(), model.headerData(0, qt.Qt.Horizontal)) == (2, "ml")
    view.sortingEnabled = True
    view.sortByColumn(0, qt.Qt.AscendingOrder)
    assert view.model().index(0, 0).data() == 9.5


def test_segments_table_lists_segments(a_slicer):
    table, node = slicer.qMRMLSegmentsTableView(), a_node("seg", "vtkMRMLSegmentationNode")
    table.setSegmentationNode(node)

    node.GetSegmentation().AddEmptySegment("liver_id", "liver")

    assert table.displayedSegmentIDs() == ("liver_id",)


def test_segment_editor_keeps_choices_in_its_node(a_slicer):
    volume = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.float32))
    node = a_node("seg", "vtkMRMLSegmentationNode")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    identifier = node.GetSegmentation().AddEmptySegment("a", "liver")
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.util.getModuleWidget("SegmentEditor").editor

    editor.setSegmentationNode(node)
    editor.setActiveEffectByName("Paint")
    editor.activeEffect().setParameter("BrushSphere", 1)

    assert editor.mrmlSegmentEditorNode().GetSegmentationNode() is node
    assert (editor.sourceVolumeNode(), editor.currentSegmentID()) == (volume, identifier)
    assert (editor.activeEffect().name, editor.activeEffect().integerParameter("BrushSphere")) == ("Paint", 1)
    editor.setActiveEffectByName("Nonsense")
    assert editor.activeEffect() is None


def test_leaving_the_segment_editor_drops_the_effect(a_slicer):
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    editor.setActiveEffectByName("Erase")

    slicer.util.selectModule("Data")

    assert editor.activeEffect() is None


def test_mask_needs_its_segment_before_its_mode(a_slicer):
    slicer.util.selectModule("SegmentEditor")
    node = slicer.util.getModuleWidget("SegmentEditor").editor.mrmlSegmentEditorNode()
    inside = slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment

    node.SetMaskMode(inside)
    assert node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere

    node.SetMaskSegmentID("liver")
    node.SetMaskMode(inside)
    assert node.GetMaskMode() == inside
