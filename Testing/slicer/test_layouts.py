"""Layouts with further views: charts beside a 3D view, two 3D views, six slices; results are seen in all."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

LAYOUTS = slicer.vtkMRMLLayoutNode
CASE = "phantom_003"


@pytest.mark.parametrize(
    ("layout", "slices", "three_d", "plots"),
    [
        (LAYOUTS.SlicerLayoutConventionalPlotView, 3, 1, 1),
        (LAYOUTS.SlicerLayoutFourUpPlotView, 3, 0, 1),
        (LAYOUTS.SlicerLayoutThreeOverThreePlotView, 3, 0, 3),
        (LAYOUTS.SlicerLayoutThreeOverThreeView, 6, 0, 0),
        (LAYOUTS.SlicerLayoutDual3DView, 3, 2, 0),
        (LAYOUTS.SlicerLayoutOneUp3DView, 0, 1, 0),
    ],
)
def test_a_layout_has_the_views_of_its_description(a_slicer, layout, slices, three_d, plots):
    manager = slicer.app.layoutManager()

    manager.setLayout(layout)

    names = manager.sliceViewNames()
    assert (len(names), manager.threeDViewCount, manager.plotViewCount) == (slices, three_d, plots)
    assert all(manager.sliceWidget(name).mrmlSliceNode().GetLayoutName() == name for name in names)
    tags = [manager.threeDWidget(n).mrmlViewNode().GetSingletonTag() for n in range(three_d)]
    assert len(set(tags)) == three_d


@pytest.fixture
def a_panel(a_quick_panel, phantoms, a_learned_run):
    """With a trained run in which all is predicted."""
    a_quick_panel.choose(phantoms, a_learned_run)
    return a_quick_panel


def _colors(picture) -> int:
    """How many colors a picture has: a lit body has many."""
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def test_a_result_is_seen_in_every_3d_view_of_the_users_layout(a_panel):
    manager = slicer.app.layoutManager()
    manager.setLayout(LAYOUTS.SlicerLayoutDual3DView)
    views = [manager.threeDWidget(n) for n in range(2)]
    before = [_colors(a_panel.slicer.render(view, fit=False)) for view in views]

    a_panel.panel.predict.showResult(CASE, a_panel.panel.data.load(CASE))

    assert manager.layout == LAYOUTS.SlicerLayoutDual3DView
    after = [_colors(a_panel.slicer.render(view, fit=False)) for view in views]
    assert all(now > 2 * then for now, then in zip(after, before, strict=True)), (before, after)


def test_a_layout_with_chart_and_3d_view_is_kept_for_curves_and_for_results(a_panel):
    manager, curves = slicer.app.layoutManager(), a_panel.child("finetuneCurves")
    manager.setLayout(LAYOUTS.SlicerLayoutConventionalPlotView)

    curves.click()
    assert manager.layout == LAYOUTS.SlicerLayoutConventionalPlotView, "it has a place for the chart"
    a_panel.panel.predict.showResult(CASE, a_panel.panel.data.load(CASE))

    assert manager.layout == LAYOUTS.SlicerLayoutConventionalPlotView, "it has a 3D view"
    assert curves.isChecked()


def test_another_case_is_shown_in_all_of_six_slice_views(a_panel):
    manager = slicer.app.layoutManager()
    manager.setLayout(LAYOUTS.SlicerLayoutThreeOverThreeView)

    volume = a_panel.panel.data.load(CASE)

    for name in manager.sliceViewNames():
        composite = manager.sliceWidget(name).mrmlSliceCompositeNode()
        assert composite.GetBackgroundVolumeID() == volume.GetID(), name
