"""The panel follows the scene and a restart: volumes that come and go, a closed scene, what comes back."""

from __future__ import annotations

import slicer

from ContrastiveSegLib.slicer_bridge import nodes


def test_the_volumes_of_the_scene_are_followed(a_quick_panel, phantoms):
    panel, button = a_quick_panel, a_quick_panel.ui.useSceneButton
    assert not button.enabled

    volume = slicer.util.loadVolume(str(phantoms / "test" / "images" / "phantom_003.nii.gz"))
    panel.wait(lambda: button.enabled)

    slicer.mrmlScene.RemoveNode(volume)
    panel.wait(lambda: not button.enabled)


def test_two_volumes_of_one_name_are_two_cases(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    for case in ("phantom_003", "phantom_004"):
        slicer.util.loadVolume(str(phantoms / "test" / "images" / f"{case}.nii.gz")).SetName("CT")
    panel.ui.runFolder.currentPath = str(tmp_path / "run")
    panel.wait(lambda: panel.ui.useSceneButton.enabled)

    panel.ui.useSceneButton.click()
    panel.wait(lambda: not panel.panel.data.reader.isReading)

    assert [case.name for case in panel.panel.data.reader.cases] == ["CT", "CT_2"]


def test_closing_the_scene_during_a_job_comes_back_to_run_and_job(
    a_quick_panel, phantoms, tmp_path, monkeypatch
):
    monkeypatch.setenv("CONTRASTIVESEG_SELF_TEST_STEP_S", "3")
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.child("pretrainStart").click()
    panel.wait(lambda: panel.child("pretrainProgress").value >= 1)
    job = panel.panel.monitor.job

    slicer.mrmlScene.Clear()

    assert panel.ui.runFolder.currentPath == str(tmp_path / "run")
    assert panel.ui.dataFolder.currentPath == str(phantoms)
    assert panel.panel.monitor.job is job
    assert panel.state("pretrain") == "working"
    assert panel.child("pretrainProgress").value >= 1
    assert panel.child("pretrainCancel").enabled
    panel.child("pretrainCancel").click()
    panel.wait(lambda: not panel.panel.monitor.isBusy, 60)
    assert "Cancelled after step" in panel.child("pretrainLine").text


def test_closing_the_scene_without_a_job_empties_the_panel(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")

    slicer.mrmlScene.Clear()

    assert (panel.ui.runFolder.currentPath, panel.ui.dataFolder.currentPath) == ("", "")
    assert panel.state("pretrain") == "missing"


def test_another_run_does_not_lose_an_export(a_quick_panel, phantoms, tmp_path, a_pretrained_run):
    panel = a_quick_panel
    panel.choose(phantoms, a_pretrained_run)
    panel.slicer.dialogs.answer(str(tmp_path / "run.zip"), to="Export run")
    panel.ui.exportRunButton.click()
    job = panel.panel.monitor.job
    assert job is not None

    panel.ui.runFolder.currentPath = str(tmp_path / "other")

    assert panel.panel.monitor.job is job
    panel.wait(lambda: not panel.panel.monitor.isBusy)
    assert (tmp_path / "run.zip").is_file()


def test_after_a_restart_the_data_folder_comes_back_with_the_run(a_quick_panel, phantoms, tmp_path):
    before = a_quick_panel
    before.choose(phantoms, tmp_path / "run")
    (tmp_path / "run").mkdir()

    after = before.restart()
    after.wait(lambda: not after.panel.data.reader.isReading)

    assert after.ui.dataFolder.currentPath == str(phantoms)
    assert len(after.panel.data.reader.cases) == 6


def test_after_a_restart_the_prediction_of_a_scene_volume_is_shown_on_its_copy(
    a_quick_panel, phantoms, tmp_path, a_trained_run
):
    before = a_quick_panel
    before.choose(phantoms, a_trained_run)
    volume = slicer.util.loadVolume(str(phantoms / "test" / "images" / "phantom_003.nii.gz"))
    volume.SetName("my scan")
    voxels = slicer.util.arrayFromVolume(volume).copy()
    before.ui.inputVolume.setCurrentNode(volume)
    before.job("predict")

    after = before.restart()
    after.double_click(after.ui.predictionTable, 0)

    shown = nodes.find_volume("my_scan")
    assert (slicer.util.arrayFromVolume(shown) == voxels).all()
    (segmentation,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert segmentation.GetName().startswith("my_scan predicted")
    assert segmentation.GetNodeReference("referenceImageGeometryRef") is shown


def test_a_scene_volume_with_the_name_of_a_case_is_not_taken_for_it(
    a_quick_panel, phantoms, tmp_path, a_trained_run
):
    panel = a_quick_panel
    panel.choose(phantoms, a_trained_run)
    volume = slicer.util.loadVolume(str(phantoms / "test" / "images" / "phantom_004.nii.gz"))
    volume.SetName("phantom_003")
    panel.ui.inputVolume.setCurrentNode(volume)

    panel.job("predict")

    assert panel.panel.state.predicted == ("phantom_003_2",)
    assert "not in the data folder" in panel.ui.correctButton.toolTip


def test_what_went_wrong_goes_from_the_progress_line_when_it_is_mended(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.panel.pretrain.fail("It went wrong.")
    assert panel.child("pretrainLine").text == "It went wrong."

    panel.ui.pretrainedRun.currentPath = str(tmp_path / "other")

    assert panel.child("pretrainLine").text == ""


def test_a_scene_of_version_0_1_is_read_under_the_names_of_then(a_quick_panel):
    panel = a_quick_panel
    stored = panel.logic.getParameterNode().parameterNode
    stored.UnsetParameter("connectedComponents")
    stored.SetParameter("pieces", "together")
    stored.SetParameter("pretrainOptions", '{"width": 12}')

    panel.panel.fill()

    assert panel.ui.connectedComponents.currentData == "together"
    assert panel.child("pretraining_base_channels").text == "12"
    assert not stored.GetParameter("pieces")
