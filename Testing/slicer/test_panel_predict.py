"""Fine-tuning and prediction, clicked with a stand-in for the engine: curves, new nodes, what stays."""

from __future__ import annotations

import json
from pathlib import Path

import slicer

from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.schema import from_dict


def _whole_run(panel, phantoms, run: Path) -> None:
    panel.choose(phantoms, run)
    panel.job("pretrain")
    panel.ui.labelsFrom.currentIndex = 1
    panel.job("finetune")


def test_fine_tuning_shows_dice_of_each_structure(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel

    _whole_run(panel, phantoms, tmp_path / "run")

    assert panel.state("finetune") == "done"
    chart = panel.panel.finetune.box._curves.chart
    names = [chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert names == ["loss dice_ce", "Dice bright", "Dice middle"]


def test_a_prediction_is_a_new_node_and_equals_the_file(a_quick_panel, phantoms, a_trained_run, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, a_trained_run)
    volume = panel.panel.data.load("phantom_003")
    panel.ui.inputVolume.setCurrentNode(volume)

    panel.job("predict")
    panel.job("predict")

    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert len(nodes) == 2
    assert [node.GetDisplayNode().GetVisibility() for node in nodes] == [0, 1]
    assert panel.state("predict") == "done"
    table = panel.ui.volumesTable
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == ["bright", "middle"]
    panel.ui.showUncertainty.click()
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID()).GetName().endswith("uncertainty")
    panel.ui.showUncertainty.click()
    assert composite.GetForegroundVolumeID() is None
    (tmp_path / "results").mkdir()
    for _ in range(2):
        panel.slicer.dialogs.answer(str(tmp_path / "results"), to="Copy the predictions")
        panel.ui.exportResultsButton.click()
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == ["phantom_003.seg.nrrd", "phantom_003_uncertainty.nrrd"]
    assert "2 files were there already and stayed" in panel.ui.runInfo.text


def test_deleting_the_volume_during_a_prediction_does_no_harm(
    a_quick_panel, phantoms, a_trained_run, tmp_path
):
    panel = a_quick_panel
    panel.choose(phantoms, a_trained_run)
    volume = panel.panel.data.load("phantom_003")
    panel.ui.inputVolume.setCurrentNode(volume)
    panel.child("predictStart").click()

    slicer.mrmlScene.RemoveNode(volume)
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert "was closed meanwhile" in panel.child("predictLine").text
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
    assert panel.ui.predictionTable.rowCount == 1


def test_a_volume_of_the_scene_is_predicted_on_its_own_grid_and_under_its_transform(
    a_quick_panel, phantoms, a_trained_run, tmp_path
):
    panel = a_quick_panel
    panel.choose(phantoms, a_trained_run)
    volume = slicer.util.loadVolume(str(phantoms / "test" / "images" / "phantom_003.nii.gz"))
    volume.SetName("my scan / no. 1")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    volume.SetAndObserveTransformNodeID(transform.GetID())
    panel.ui.inputVolume.setCurrentNode(volume)

    panel.job("predict")

    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert node.GetTransformNodeID() == transform.GetID()
    assert RunFolder(tmp_path / "run").prediction("my_scan_no._1").is_file()


def test_which_components_are_kept_is_asked_remembered_and_passed_on(
    a_quick_panel, phantoms, a_trained_run, tmp_path
):
    panel = a_quick_panel
    panel.choose(phantoms, a_trained_run)
    assert panel.ui.connectedComponents.currentData == "auto"

    panel.ui.connectedComponents.currentIndex = panel.ui.connectedComponents.findData("together")
    panel.ui.inputVolume.setCurrentNode(panel.panel.data.load("phantom_003"))
    panel.job("predict")

    order = json.loads((tmp_path / "run" / "panel" / "predict.json").read_text(encoding="utf-8"))["predict"]
    assert (
        from_dict(JOBS["predict"], order).components == "together"
    )  # the real job would take these settings
    assert panel.panel.parameters.connectedComponents == "together"
