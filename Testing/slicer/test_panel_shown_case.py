"""What is shown belongs to one case: every pair of actions over two patients, in slices, 3D and tables."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import slicer

from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import annotating, nodes

ONE, OTHER = "phantom_003", "phantom_004"
SEGMENTATION = "vtkMRMLSegmentationNode"


@pytest.fixture
def a_panel(a_quick_panel, phantoms, a_learned_run):
    """With a trained run, both patients predicted and refined, and a slice of each propagated."""
    panel, run = a_quick_panel, RunFolder(a_learned_run)
    panel.choose(phantoms, run.path)
    panel.type(panel.ui.structures, "bright, middle")
    for source, target in ((run.predictions, "predictions_refined"), (run.predictions, "panel/propagated")):
        (run.path / target).mkdir(parents=True)
        for case in (ONE, OTHER):
            name = f"{case}.seg.nrrd"
            (run.path / target / name).write_bytes((source / name).read_bytes())
    return panel


def _open(panel, case):
    panel.double_click(panel.ui.caseTable, _row(panel.ui.caseTable, case))


def _annotate(panel, case):
    panel.ui.caseTable.setCurrentCell(_row(panel.ui.caseTable, case), 0)
    panel.ui.annotateButton.click()
    node, volume = annotating.annotation_of(case), nodes.find_volume(case)
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[:, 5:-5, 5:-5] = 1
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)
    slicer.util.selectModule("ContrastiveSeg")


def _volume(panel, case):
    return nodes.find_volume(case) or panel.panel.data.load(case)


def _predict(panel, case):
    panel.panel.predict.showResult(case, _volume(panel, case))


def _correct(panel, case):
    _predict(panel, case)
    panel.ui.correctButton.click()
    slicer.util.selectModule("ContrastiveSeg")


def _refine(panel, case):
    path = panel.panel.run.path / "predictions_refined" / f"{case}.seg.nrrd"
    panel.panel.predict.showResult(case, _volume(panel, case), path=path)


def _propagate(panel, case):
    panel.panel.propagation.showResult(panel.panel.run.panel / "propagated" / f"{case}.seg.nrrd")


def _double_click(panel, case):
    panel.double_click(panel.ui.predictionTable, _row(panel.ui.predictionTable, case))


def _see_doubt(panel, case):
    _predict(panel, case)
    panel.ui.showUncertainty.setChecked(True)


ACTIONS = {
    "open": _open,
    "annotate": _annotate,
    "predict": _predict,
    "correct": _correct,
    "propagate": _propagate,
    "refine": _refine,
    "double click": _double_click,
    "uncertainty": _see_doubt,
}


def _row(table, case):
    return next(row for row in range(table.rowCount) if table.item(row, 0).text() == case)


def _seen() -> list[str]:
    """The names of what can be seen: segmentations, layers of the slices, tables in views."""
    found = [n.GetName() for n in slicer.util.getNodesByClass(SEGMENTATION) if n.GetDisplayVisibility()]
    for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        layers = (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID(), view.GetLabelVolumeID())
        found += [slicer.mrmlScene.GetNodeByID(layer).GetName() for layer in layers if layer]
    tables = [view.GetTableNode() for view in slicer.util.getNodesByClass("vtkMRMLTableViewNode")]
    return found + [table.GetName() for table in tables if table is not None]


def _all_pairs(names) -> list[str]:
    """A walk in which each name comes after each name once: a de Bruijn sequence."""
    walk = []
    for number, name in enumerate(names):
        walk += [name, *(step for other in names[number + 1 :] for step in (name, other))]
    return [*walk, names[0]]


def test_after_any_two_actions_only_the_second_patient_is_seen(a_panel):
    walk, wrong = _all_pairs(list(ACTIONS)), []
    assert len(set(itertools.pairwise(walk))) == len(ACTIONS) ** 2 == len(walk) - 1

    for number, action in enumerate(walk):
        case = (ONE, OTHER)[number % 2]
        ACTIONS[action](a_panel, case)
        seen = _seen()
        alone = all(name.startswith(case) for name in seen) and case in seen
        several = sum(n.GetDisplayVisibility() for n in slicer.util.getNodesByClass(SEGMENTATION)) > 1
        told = {a_panel.panel.predict.case, a_panel.panel.annotate.case} - {"", case}
        if several or told or not alone:
            wrong.append((walk[max(number - 1, 0)], action, seen, told))

    assert wrong == []


def test_what_is_erased_in_a_corrected_prediction_is_gone(a_panel):
    _correct(a_panel, ONE)

    node, volume = annotating.annotation_of(ONE), nodes.find_volume(ONE)
    for identity in node.GetSegmentation().GetSegmentIDs():
        nothing = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(nothing, node, identity, volume)
    picture = a_panel.slicer.render("Red", fit=False).astype(int)
    for shown in slicer.util.getNodesByClass(SEGMENTATION):
        shown.GetDisplayNode().SetVisibility(False)

    assert np.array_equal(picture, a_panel.slicer.render("Red", fit=False))


def test_another_patient_leaves_no_pixel_in_slices_and_in_3d(a_panel):
    for case in (ONE, OTHER):
        _open(a_panel, case)
        a_panel.slicer.render("Red")  # gives the view its size, by which the next volume is fitted
    slices = a_panel.slicer.render("Red").astype(int)
    colors = _colors(a_panel.slicer.render("3D", fit=False))

    _predict(a_panel, ONE)
    assert _colors(a_panel.slicer.render("3D", fit=False)) > 2 * colors
    _annotate(a_panel, ONE)
    _open(a_panel, OTHER)

    assert np.array_equal(slices, a_panel.slicer.render("Red"))
    assert _colors(a_panel.slicer.render("3D", fit=False)) <= colors


def _colors(picture) -> int:
    """How many colors a picture has: a lit body has many."""
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def test_a_table_of_another_patient_leaves_its_view(a_panel):
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
    _predict(a_panel, ONE)
    view = slicer.util.getNodesByClass("vtkMRMLTableViewNode")[0]
    view.SetTableNodeID(slicer.util.getNode(f"{ONE} volumes").GetID())

    _open(a_panel, OTHER)

    assert view.GetTableNode() is None
    assert a_panel.ui.volumesTable.rowCount == 0


def test_what_was_seen_of_a_patient_comes_back_with_it(a_panel):
    _annotate(a_panel, ONE)
    _predict(a_panel, OTHER)

    _open(a_panel, ONE)
    assert f"{ONE} annotation" in _seen()
    assert a_panel.panel.annotate.case == ONE

    _open(a_panel, OTHER)
    assert any(name.startswith(f"{OTHER} predicted") for name in _seen())
    assert a_panel.panel.predict.case == OTHER
    assert a_panel.ui.volumesTable.rowCount == 2


def test_what_somebody_else_made_is_left_alone(a_panel):
    mine = slicer.mrmlScene.AddNewNodeByClass(SEGMENTATION, "my own")
    mine.CreateDefaultDisplayNodes()

    _predict(a_panel, ONE)
    _open(a_panel, OTHER)

    assert mine.GetDisplayVisibility()


def test_the_same_name_in_another_folder_is_another_patient(a_panel, phantoms, tmp_path):
    _annotate(a_panel, ONE)
    before = nodes.find_volume(ONE)
    other = tmp_path / "other clinic"
    other.mkdir()
    source = phantoms / "test" / "images" / f"{OTHER}.nii.gz"
    (other / f"{ONE}.nii.gz").write_bytes(source.read_bytes())
    a_panel.choose(other, tmp_path / "another run")

    assert not a_panel.ui.saveAnnotationButton.enabled
    _open(a_panel, ONE)

    assert nodes.find_volume(ONE) is not before
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == nodes.find_volume(ONE).GetID()
    assert [n for n in slicer.util.getNodesByClass(SEGMENTATION) if n.GetDisplayVisibility()] == []
    assert annotating.annotation_of(ONE) is None
