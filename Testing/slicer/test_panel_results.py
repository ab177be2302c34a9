"""A result is brought into view, also after a chart and an oblique case, and nothing is loaded twice."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from ContrastiveSegLib.slicer_bridge import nodes

CASES = ("phantom_003", "phantom_004")
ROWS = (2, 3)  # theirs, among six predicted patients


@pytest.fixture
def a_panel(a_quick_panel, phantoms, a_learned_run):
    """With a trained run, its chart on the screen, and all patients predicted."""
    panel = a_quick_panel
    panel.choose(phantoms, a_learned_run)
    panel.child("finetuneCurves").click()
    return panel


def _nodes(kind):
    return slicer.util.getNodesByClass(f"vtkMRML{kind}Node")


def test_a_3d_view_comes_back_and_the_chart_stays_one_click_away(a_panel):
    manager = slicer.app.layoutManager()
    before, curves = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView, a_panel.child("finetuneCurves")
    assert (manager.threeDViewCount, manager.plotViewCount) == (0, 1)

    a_panel.double_click(a_panel.ui.predictionTable, 0)

    assert (manager.layout, manager.threeDViewCount) == (before, 1)
    assert not curves.isChecked()
    curves.click()
    assert manager.plotViewCount == 1
    curves.click()
    assert manager.layout == before


def test_a_3d_view_comes_back_after_a_restart_that_kept_the_chart_in_the_layout(a_panel):
    a_panel.panel.plots._before = None

    a_panel.double_click(a_panel.ui.predictionTable, 0)

    assert slicer.app.layoutManager().threeDViewCount == 1


def test_a_layout_that_the_user_chose_is_left_alone(a_panel):
    manager, chosen = slicer.app.layoutManager(), slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    manager.setLayout(chosen)

    a_panel.double_click(a_panel.ui.predictionTable, 0)

    assert manager.layout == chosen


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("isOpenAlready", [False, True])
def test_slices_lie_in_the_plane_of_the_volume_and_show_all_of_it(a_panel, number, isOpenAlready):
    for row in (ROWS[number], ROWS[1 - number])[not isOpenAlready :]:
        a_panel.double_click(a_panel.ui.predictionTable, row)
    slicer.util.getNodesByClass("vtkMRMLSliceNode")[0].JumpSliceByCentering(500, 500, 500)

    a_panel.double_click(a_panel.ui.predictionTable, ROWS[number])

    volume = nodes.find_volume(CASES[number])
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    assert nodes.shown_index(volume, 2) is not None
    bounds = np.zeros(6)
    volume.GetRASBounds(bounds)
    shown = slicer.util.arrayFromVTKMatrix(red.GetSliceToRAS())[:3, 3]
    assert np.allclose(shown, (bounds[::2] + bounds[1::2]) / 2, atol=3)


def test_the_surface_is_in_the_middle_of_the_3d_view(a_panel):
    for row in ROWS:
        a_panel.double_click(a_panel.ui.predictionTable, row)

    (shown,) = [node for node in _nodes("Segmentation") if node.GetDisplayVisibility()]
    bounds = np.zeros(6)
    shown.GetRASBounds(bounds)
    renderers = slicer.app.layoutManager().threeDWidget(0).threeDView().renderWindow().GetRenderers()
    focus = renderers.GetFirstRenderer().GetActiveCamera().GetFocalPoint()
    assert np.allclose(focus, (bounds[::2] + bounds[1::2]) / 2, atol=0.1)


def test_a_second_double_click_shows_what_is_there(a_panel):
    for _ in range(2):
        for row in ROWS:
            a_panel.double_click(a_panel.ui.predictionTable, row)

    assert len(_nodes("Segmentation")) == 2
    assert sorted(table.GetName() for table in _nodes("Table") if "volumes" in table.GetName()) == [
        f"{case} volumes" for case in CASES
    ]
    assert [table.GetNumberOfRows() for table in _nodes("Table") if "volumes" in table.GetName()] == [2, 2]
    shown = [node.GetName() for node in _nodes("Segmentation") if node.GetDisplayVisibility()]
    assert shown == ["phantom_004 predicted (round 1)"]


def test_the_map_of_a_case_is_loaded_once_and_anew_after_another_prediction(a_panel):
    a_panel.double_click(a_panel.ui.predictionTable, ROWS[0])
    for _ in range(4):
        a_panel.ui.showUncertainty.click()
    maps = [node for node in _nodes("ScalarVolume") if node.GetAttribute(nodes.MAP)]
    assert len(maps) == 1
    a_panel.ui.showUncertainty.click()
    a_panel.double_click(a_panel.ui.predictionTable, ROWS[0])
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert a_panel.ui.showUncertainty.checked
    assert composite.GetForegroundVolumeID() == maps[0].GetID()
    a_panel.ui.showUncertainty.click()

    a_panel.ui.inputVolume.setCurrentNode(nodes.find_volume(CASES[0]))
    a_panel.job("predict")
    a_panel.ui.showUncertainty.click()

    (renewed,) = [node for node in _nodes("ScalarVolume") if node.GetAttribute(nodes.MAP)]
    assert renewed is not maps[0]
