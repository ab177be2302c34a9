"""The choice of what unpainted voxels mean, clicked: kept per case, counted, understood by the jobs."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from ContrastiveSegLib.dataset.annotations import annotated_voxels, annotation_file, read_annotation_mask
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_geometry, read_labels
from ContrastiveSegLib.slicer_bridge import annotating, nodes

CASE, OTHER = "phantom_005", "phantom_006"
SLICES, WHOLE, SCRIBBLES = range(3)


def _opened(panel, case):
    node = panel.panel.annotate.open(case)
    slicer.util.selectModule("ContrastiveSeg")
    return node


def _paint(case, *slices):
    node, volume = annotating.annotation_of(case), nodes.find_volume(case)
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[list(slices), 10:20, 12:20] = 1
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)


def _learned_from(run):
    """What the jobs take the saved annotation of the case for."""
    (case,) = [case for case in find_cases(run / "annotations").cases if case.name == CASE]
    path = annotation_file(case, "auto")
    marks = read_annotation_mask(
        path, case, read_labels(path).table, read_geometry(case.images), plane="axial"
    )
    return annotated_voxels(marks, "auto")[1].describe()


@pytest.fixture
def a_panel(a_quick_panel, phantoms, tmp_path):
    """With a data folder, a run folder and named structures."""
    a_quick_panel.choose(phantoms, tmp_path / "run")
    a_quick_panel.type(a_quick_panel.ui.structures, "liver, heart wall")
    return a_quick_panel


@pytest.mark.parametrize(
    ("choice", "seen", "counted"),
    [
        (SLICES, "3 of 9 slices", "Annotated cases in some slices: 1 (slices: 3)"),
        (WHOLE, "whole case", "Annotated cases whole: 1"),
        (SCRIBBLES, "scribbles in 3 of 9 slices", "Annotated cases with scribbles: 1"),
    ],
)
def test_neighboring_slices_mean_what_was_said(a_panel, tmp_path, choice, seen, counted):
    a_panel.ui.annotationKind.currentIndex = choice
    _opened(a_panel, CASE)
    _paint(CASE, 3, 4, 5)

    a_panel.ui.saveAnnotationButton.click()

    assert _learned_from(tmp_path / "run").startswith(seen)
    assert a_panel.ui.annotationCounts.text == counted


def test_another_choice_replaces_what_was_saved(a_panel, tmp_path):
    node = _opened(a_panel, CASE)
    _paint(CASE, 3, 4, 5)
    a_panel.ui.saveAnnotationButton.click()
    a_panel.ui.completeButton.click()
    assert "; slices of this case marked complete: 1" in a_panel.ui.annotationCounts.text

    a_panel.ui.annotationKind.currentIndex = SCRIBBLES

    assert node.GetSegmentation().GetSegmentIdBySegmentName("background")
    assert a_panel.ui.completeButton.toolTip.startswith("In scribbles only painted voxels count")
    assert "marked complete" not in a_panel.ui.annotationCounts.text
    assert a_panel.child("propagateStart").toolTip.startswith("Scribbles cannot be propagated")
    a_panel.ui.saveAnnotationButton.click()
    assert _learned_from(tmp_path / "run").startswith("scribbles in 3 of 9 slices")
    assert not (tmp_path / "run" / "annotations" / "labels" / f"{CASE}.seg.nrrd").exists()
    assert a_panel.ui.annotationCounts.text == "Annotated cases with scribbles: 1"


def test_each_case_keeps_its_meaning_and_new_ones_get_the_last_choice(a_panel):
    a_panel.ui.annotationKind.currentIndex = WHOLE
    _opened(a_panel, CASE)
    _paint(CASE, 3, 4, 5)
    a_panel.ui.saveAnnotationButton.click()
    slicer.mrmlScene.RemoveNode(annotating.annotation_of(CASE))
    a_panel.ui.annotationKind.currentIndex = SCRIBBLES
    _opened(a_panel, OTHER)

    _opened(a_panel, CASE)
    assert a_panel.ui.annotationKind.currentText == "Whole volume"
    _opened(a_panel, OTHER)
    assert a_panel.ui.annotationKind.currentText == "Scribbles"


def test_nothing_is_saved_where_nothing_counts(a_panel, tmp_path):
    a_panel.ui.annotationKind.currentIndex = WHOLE
    _opened(a_panel, CASE)

    a_panel.ui.saveAnnotationButton.click()

    assert "Nothing is painted yet" in a_panel.ui.annotateState.text
    assert not (tmp_path / "run" / "annotations").exists()


def test_a_corrected_prediction_is_a_whole_volume_and_goes_on_where_it_was(a_panel, a_learned_run, tmp_path):
    case = "phantom_003"
    a_panel.panel.reopen()
    a_panel.panel.predict.showResult(case, a_panel.panel.data.load(case))
    drawn = _opened(a_panel, case)
    annotating.set_kind(drawn, "slices")

    a_panel.ui.correctButton.click()

    corrected = annotating.annotation_of(case)
    assert (corrected is drawn, drawn.GetName()) == (False, f"{case} earlier annotation")
    slicer.util.selectModule("ContrastiveSeg")
    assert a_panel.ui.annotationKind.currentText == "Whole volume"
    a_panel.ui.annotationKind.currentIndex = SLICES
    a_panel.ui.correctButton.click()  # back to the same correction
    assert annotating.annotation_of(case) is corrected
    assert annotating.kind_of(corrected) == "slices"


def test_a_scene_that_remembers_the_old_check_box_opens(a_quick_panel, tmp_path):
    stored = a_quick_panel.logic.getParameterNode().parameterNode
    stored.SetParameter("scribbles", "true")
    slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    slicer.mrmlScene.Clear()

    slicer.util.loadScene(str(tmp_path / "scene.mrml"))

    assert a_quick_panel.ui.annotationKind.currentText == "Some slices"
    assert a_quick_panel.state("annotate") == "missing"
