"""The panel's steps, clicked with a stand-in for the engine: states, reasons, forms, jobs."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import slicer

from ContrastiveSegLib.runs.run_folder import RunFolder
from Testing.slicer.panel_fixtures import a_quick_panel, phantoms

__all__ = ["a_quick_panel", "phantoms"]


def test_a_fresh_panel_says_what_is_missing_and_why_buttons_are_off(a_quick_panel):
    panel = a_quick_panel

    assert [panel.state(step) for step in ("data", "pretrain", "annotate", "finetune", "predict")] == [
        "missing"
    ] * 5
    assert not panel.child("pretrainStart").enabled
    assert panel.child("pretrainStart").toolTip == "Choose a data folder in step 1."
    assert panel.child("predictStart").toolTip == "Choose a run folder in step 1."
    assert not panel.child("pretrainCancel").enabled


def test_the_data_step_lists_cases_and_what_was_left_out(a_quick_panel, phantoms, tmp_path):
    (phantoms / "unlabeled" / "images" / "notes.txt").write_text("none", encoding="utf-8")
    panel = a_quick_panel

    panel.choose(phantoms, tmp_path / "run")
    table = panel.ui.caseTable
    rows = [[table.item(row, n).text() for n in range(5)] for row in range(table.rowCount)]

    assert panel.state("data") == "done"
    assert "6 cases, 4 with labels; 1 files left out" in panel.ui.dataState.text
    assert [row[0] for row in rows] == [f"phantom_00{n}" for n in range(1, 7)] + ["notes.txt"]
    assert rows[0][3] == "labels"
    assert rows[-1][3:] == ["left out", "not a volume in a known format (NIfTI, NRRD, MHA, DICOM)"]
    assert rows[0][1].count("x") == 2
    (phantoms / "unlabeled" / "images" / "notes.txt").unlink()


def test_a_double_click_loads_a_case_into_the_viewer_once(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")

    for _ in range(2):
        panel.double_click(panel.ui.caseTable, 1)

    (volume,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert volume.GetName() == "phantom_002"
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == volume.GetID()


def test_the_method_form_has_the_settings_of_the_catalog(a_quick_panel):
    panel = a_quick_panel
    combo = panel.ui.pretrainMethod

    combo.currentIndex = combo.findText("SimCLR")
    panel.child("pretraining_options_temperature").value = 0.25

    assert panel.ui.pretrainCaption.text.startswith("SimCLR: two views of a slice attract each other")
    assert panel.logic.getParameterNode().method == "simclr"
    assert json.loads(panel.logic.getParameterNode().pretrainOptions) == {"options.temperature": 0.25}
    assert panel.child("pretraining_options_temperature").toolTip.startswith("How sharply")


def test_a_setting_that_is_not_allowed_is_a_sentence_and_starts_nothing(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")

    panel.child("pretraining_lr").text = "fast"
    panel.child("pretrainStart").click()

    assert panel.state("pretrain") == "failed"
    assert "The setting 'lr' is 'fast'; allowed is a number" in panel.ui.pretrainState.text
    assert not (tmp_path / "run").exists()


def test_pretraining_shows_progress_curves_and_the_end(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")

    panel.job("pretrain")

    assert panel.state("pretrain") == "done"
    assert "pre-trained with pcl" in panel.ui.pretrainState.text
    chart = panel.panel.pretrain.box._curves.chart
    table = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    assert [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())] == ["step", "position"]
    assert [table.GetValue(n, 0).ToDouble() for n in range(8)] == list(range(1, 9))
    assert table.GetValue(3, 1).ToDouble() == pytest.approx(3 / 4)
    assert slicer.app.layoutManager().plotViewCount == 1
    assert "for another" in panel.child("pretrainStart").toolTip


def test_the_estimate_rests_on_what_was_measured(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "first")
    assert "known after 'Check this computer'" in panel.ui.pretrainEstimate.text

    panel.job("pretrain")
    panel.choose(phantoms, tmp_path / "second")
    panel.ui.pretrainPreset.currentIndex = 0

    # 300 steps of 32 images at the stand-in's 40 images/s are 240 s.
    assert "300 steps, about 4 min, 0.5 GB of memory (measured" in panel.ui.pretrainEstimate.text


def test_the_check_shows_device_and_speed(a_quick_panel):
    panel = a_quick_panel

    panel.ui.checkButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert panel.state("setup") in ("done", "missing")  # packages of this Python may be missing
    assert "One training step of 8 slices" in panel.ui.setupLog.plainText


def test_cancel_lets_the_job_save_and_resume_goes_on(a_quick_panel, phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.5")
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.child("pretrainStart").click()
    panel.wait(lambda: panel.child("pretrainProgress").value >= 1)
    assert not panel.child("pretrainStart").enabled
    assert "Another job is running" in panel.child("pretrainStart").toolTip

    panel.child("pretrainCancel").click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert "Cancelled after step" in panel.child("pretrainLine").text
    assert panel.state("pretrain") == "ready"
    assert panel.child("pretrainStart").text == "Resume"
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.01")
    panel.job("pretrain")
    assert panel.state("pretrain") == "done"


def test_a_killed_job_is_noticed_and_can_be_resumed(a_quick_panel, phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.5")
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.child("pretrainStart").click()
    panel.wait(lambda: panel.child("pretrainProgress").value >= 1)

    os.kill(panel.panel.monitor.job.pid, signal.SIGKILL)
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert panel.state("pretrain") == "failed"
    assert "ended without a word" in panel.ui.pretrainState.text
    assert panel.child("pretrainStart").text == "Resume"


def test_a_restart_finds_the_running_job_again_with_its_curves(
    a_quick_panel, phantoms, tmp_path, monkeypatch
):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "1.5")
    before = a_quick_panel
    before.choose(phantoms, tmp_path / "run")
    before.child("pretrainStart").click()
    before.wait(lambda: before.child("pretrainProgress").value >= 2)
    pid = before.panel.monitor.job.pid

    after = before.restart()

    assert after.ui.runFolder.currentPath == str(tmp_path / "run")
    assert after.panel.monitor.job.pid == pid
    assert after.state("pretrain") == "working"
    after.wait(lambda: not after.panel.monitor.isBusy)
    assert after.state("pretrain") == "done"
    chart = after.panel.pretrain.box._curves.chart
    steps = slicer.util.arrayFromTableColumn(chart.GetNthPlotSeriesNode(0).GetTableNode(), "step")
    assert steps.tolist() == list(range(1, 9))


def test_a_bar_is_seen_while_a_job_runs_and_after_it_but_not_of_a_reopened_run(
    a_quick_panel, phantoms, tmp_path, monkeypatch
):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.1")
    before = a_quick_panel
    before.choose(phantoms, tmp_path / "run")
    assert before.child("pretrainProgress").isHidden()
    before.child("pretrainStart").click()
    assert not before.child("pretrainProgress").isHidden()
    before.wait(lambda: not before.panel.monitor.isBusy)
    bar = before.child("pretrainProgress")
    assert (bar.isHidden(), bar.value, bar.maximum) == (False, 1, 1)

    after = before.restart()

    assert after.state("pretrain") == "done"
    assert after.child("pretrainProgress").isHidden()


def test_a_job_that_died_while_slicer_was_closed_is_explained(a_quick_panel, phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.6")
    before = a_quick_panel
    before.choose(phantoms, tmp_path / "run")
    before.child("pretrainStart").click()
    before.wait(lambda: before.child("pretrainProgress").value >= 1)
    process = before.panel.monitor.job.process
    before.panel.close()
    process.kill()
    process.wait()

    after = before.restart()

    assert after.state("pretrain") == "failed"
    assert "ended without a word" in after.ui.pretrainState.text


def test_a_run_folder_that_is_moved_away_ends_the_job(a_quick_panel, phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.5")
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.child("pretrainStart").click()
    panel.wait(lambda: panel.child("pretrainProgress").value >= 1)
    process = panel.panel.monitor.job.process

    (tmp_path / "run").rename(tmp_path / "elsewhere")
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert "is no longer there" in panel.ui.pretrainState.text
    panel.wait(lambda: process.poll() is not None)


def test_a_half_written_run_folder_is_a_sentence(a_quick_panel, phantoms, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "settings.json").write_text('{"pretrain": {"met', encoding="utf-8")

    a_quick_panel.choose(phantoms, run)

    assert a_quick_panel.state("data") == "failed"
    assert "not readable as JSON" in a_quick_panel.ui.dataState.text
    assert not a_quick_panel.child("pretrainStart").enabled


def test_closing_the_scene_empties_the_panel_and_a_job_goes_on(
    a_quick_panel, phantoms, tmp_path, monkeypatch
):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.3")
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.child("pretrainStart").click()
    panel.wait(lambda: panel.child("pretrainProgress").value >= 2)
    process = panel.panel.monitor.job.process

    slicer.mrmlScene.Clear()

    assert panel.ui.runFolder.currentPath == ""
    assert panel.state("pretrain") == "missing"
    assert process.poll() is None
    panel.choose(phantoms, tmp_path / "run")  # the user opens the run again
    panel.wait(lambda: not panel.panel.monitor.isBusy)
    assert panel.state("pretrain") == "done"


def test_what_was_chosen_is_saved_with_the_scene(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.ui.pretrainMethod.currentIndex = panel.ui.pretrainMethod.findText("MoCo")
    panel.ui.structures.text = "liver, spleen"
    panel.ui.annotationKind.currentIndex = 2
    slicer.util.saveScene(str(tmp_path / "scene.mrml"))

    slicer.mrmlScene.Clear()
    assert panel.ui.structures.text == ""
    assert panel.ui.annotationKind.currentText == "Some slices"
    slicer.util.loadScene(str(tmp_path / "scene.mrml"))

    assert panel.ui.dataFolder.currentPath == str(phantoms)
    assert panel.ui.runFolder.currentPath == str(tmp_path / "run")
    assert panel.ui.pretrainMethod.currentText == "MoCo"
    assert panel.ui.structures.text == "liver, spleen"
    assert panel.ui.annotationKind.currentText == "Scribbles"


def test_a_round_that_was_cancelled_is_resumed_with_what_it_was_asked(
    a_quick_panel, phantoms, tmp_path, monkeypatch
):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.ui.labelsFrom.currentIndex, panel.ui.startFrom.currentIndex = 1, 1
    panel.child("finetuning_steps").text = "77"
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.5")
    panel.child("finetuneStart").click()
    panel.wait(lambda: panel.child("finetuneProgress").value >= 1)
    panel.child("finetuneCancel").click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)
    assert panel.child("finetuneStart").text == "Resume"

    panel.child("finetuning_steps").text = "88"
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.01")
    panel.job("finetune")

    order = json.loads((tmp_path / "run" / "panel" / "finetune.json").read_text(encoding="utf-8"))
    assert order["finetune"]["steps"] == 77
    assert RunFolder(tmp_path / "run").finetune_rounds(finished=True) == (1,)


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


def test_a_prediction_is_a_new_node_and_equals_the_file(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    _whole_run(panel, phantoms, tmp_path / "run")
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


def test_deleting_the_volume_during_a_prediction_does_no_harm(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    _whole_run(panel, phantoms, tmp_path / "run")
    volume = panel.panel.data.load("phantom_003")
    panel.ui.inputVolume.setCurrentNode(volume)
    panel.child("predictStart").click()

    slicer.mrmlScene.RemoveNode(volume)
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert "was closed meanwhile" in panel.child("predictLine").text
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
    assert panel.ui.predictionTable.rowCount == 1


def test_a_volume_of_the_scene_is_predicted_on_its_own_grid_and_under_its_transform(
    a_quick_panel, phantoms, tmp_path
):
    panel = a_quick_panel
    _whole_run(panel, phantoms, tmp_path / "run")
    volume = slicer.util.loadVolume(str(phantoms / "test" / "images" / "phantom_003.nii.gz"))
    volume.SetName("my scan / no. 1")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    volume.SetAndObserveTransformNodeID(transform.GetID())
    panel.ui.inputVolume.setCurrentNode(volume)

    panel.job("predict")

    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert node.GetTransformNodeID() == transform.GetID()
    assert RunFolder(tmp_path / "run").prediction("my_scan_no._1").is_file()


def test_annotate_save_and_count(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.type(panel.ui.structures, "liver, heart wall")
    panel.ui.caseTable.setCurrentCell(4, 0)

    panel.ui.annotateButton.click()

    assert slicer.util.selectedModule() == "SegmentEditor"
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    node = editor.segmentationNode()
    names = [node.GetSegmentation().GetSegment(i).GetName() for i in node.GetSegmentation().GetSegmentIDs()]
    assert names == ["liver", "heart wall"]
    assert editor.sourceVolumeNode().GetName() == "phantom_005"
    slicer.util.selectModule("ContrastiveSeg")
    panel.ui.saveAnnotationButton.click()
    assert "Nothing is painted yet" in panel.ui.annotateState.text

    volume = editor.sourceVolumeNode()
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[4, 10:20, 10:20] = 1
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)
    panel.ui.saveAnnotationButton.click()

    assert panel.state("annotate") == "done"
    assert panel.ui.annotationCounts.text == "Annotated cases in some slices: 1 (1 slices)"
    assert (tmp_path / "run" / "annotations" / "images" / "phantom_005.nii.gz").is_file()


def test_a_suggestion_opens_its_case_and_jumps_to_its_slice(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.job("pretrain")

    panel.job("suggest")
    table = panel.ui.suggestionTable
    assert [table.item(0, n).text() for n in range(4)] == ["phantom_001", "3", "0.9", "typical"]
    panel.click(table, 0)

    from ContrastiveSegLib.slicer_bridge import annotating, nodes

    volume = nodes.find_volume("phantom_001")
    assert nodes.shown_index(volume, 2) == 3
    slicer.util.selectModule("ContrastiveSeg")
    panel.ui.completeButton.click()
    assert annotating.complete_slices(annotating.annotation_of("phantom_001")) == (3,)


def test_the_volumes_of_the_scene_can_be_the_data(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    volume = slicer.util.loadVolume(str(phantoms / "test" / "images" / "phantom_003.nii.gz"))
    panel.ui.runFolder.currentPath = str(tmp_path / "run")

    panel.ui.useSceneButton.click()
    panel.wait(lambda: not panel.panel.data.reader.isReading)

    assert [case.name for case in panel.panel.data.reader.cases] == [volume.GetName()]
    panel.double_click(panel.ui.caseTable, 0)
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1


def test_a_run_is_exported_deleted_and_imported(a_quick_panel, phantoms, tmp_path):
    import qt

    panel, dialogs = a_quick_panel, a_quick_panel.slicer.dialogs
    panel.choose(phantoms, tmp_path / "run")
    panel.job("pretrain")
    assert "run: " in panel.ui.runInfo.text
    dialogs.answer(str(tmp_path / "run.zip"), to="Export run")
    dialogs.answer(qt.QMessageBox.Ok, to="This cannot be undone")
    dialogs.answer(str(tmp_path / "run.zip"), to="Import run")
    slicer.app.userSettings().setValue("ContrastiveSeg/RunsFolder", str(tmp_path / "imported"))

    panel.ui.exportRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)
    panel.ui.deleteRunButton.click()
    assert not (tmp_path / "run").exists()
    panel.ui.importRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert panel.ui.runFolder.currentPath == str(tmp_path / "imported" / "run")
    assert panel.state("pretrain") == "done"


def _told(*steps):
    return [{"kind": "progress", "step": step} for step in steps]


def test_curves_of_a_reopened_run_are_those_of_the_last_round(a_quick_panel):
    from ContrastiveSegPanel.finetune_step import _lastRound

    def kept(events):
        return [event["step"] for event in _lastRound(events)]

    assert kept([]) == []
    assert kept(_told(3, 50, 100)) == [3, 50, 100]
    assert kept(_told(3, 50, 4, 60)) == [4, 60]  # a new round
    assert kept(_told(3, 50, 90, 60, 100)) == [3, 50, 60, 100]  # a crash at 90, taken up again at 60
    assert kept([*_told(3, 50), {"kind": "validation", "step": 50}, *_told(60)]) == [3, 50, 50, 60]
