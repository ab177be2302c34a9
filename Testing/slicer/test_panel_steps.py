"""The panel's steps, clicked with a stand-in for the engine: states, reasons, forms, jobs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import qt
import slicer


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
    rows = [[table.item(row, n).text() for n in range(3)] for row in range(table.rowCount)]

    assert panel.state("data") == "done"
    assert "6 cases, 4 with labels; files left out: 1" in panel.ui.dataState.text
    assert [row[0] for row in rows] == [f"phantom_00{n}" for n in range(1, 7)] + ["notes.txt"]
    assert rows[0][1] == "labels"
    assert rows[-1][1:] == ["left out", "not a volume in a known format (NIfTI, NRRD, MHA, DICOM)"]
    tip = table.item(0, 0).toolTip()
    assert f"File: {phantoms}" in tip
    assert "Size: 46 x 47 x 9 voxels" in tip  # this patient is drawn a little smaller
    assert "mm\nChannels: 1" in tip
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

    assert panel.ui.pretrainCaption.text.startswith("SimCLR: two views of a slice are positives")
    assert panel.logic.getParameterNode().method == "simclr"
    assert json.loads(panel.logic.getParameterNode().pretrainOptions) == {"options.temperature": 0.25}
    assert panel.child("pretraining_options_temperature").toolTip.startswith("How sharply")


def test_recommended_methods_come_first_and_the_others_below_a_heading(a_quick_panel):
    for combo, first in (
        (a_quick_panel.ui.pretrainMethod, ["supercl", "pcl"]),
        (a_quick_panel.ui.strategy, ["self_training", "supervised", "pclmix"]),
    ):
        names = [combo.itemData(n) for n in range(combo.count)]
        heading = len(first)

        assert names[:heading] == first
        assert combo.itemText(heading) == "Compared methods"
        assert combo.itemData(heading, int(qt.Qt.UserRole) - 1) == 0  # nobody can choose it
        assert names[heading + 1 :] == sorted(names[heading + 1 :])

    networks = a_quick_panel.child("pretraining_network")
    texts = [networks.itemText(n) for n in range(networks.count)]
    assert texts[0] == "U-Net of the papers"
    assert all(text.endswith(" (compared)") for text in texts[1:])


def test_a_setting_that_is_not_allowed_is_a_sentence_and_starts_nothing(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")

    panel.child("pretraining_lr").text = "fast"
    panel.child("pretrainStart").click()

    assert panel.state("pretrain") == "failed"
    assert "The setting 'learning rate' is 'fast'; allowed is a number" in panel.ui.pretrainState.text
    assert not (tmp_path / "run").exists()


def test_pretraining_shows_progress_curves_and_the_end(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")

    panel.job("pretrain")

    assert panel.state("pretrain") == "done"
    assert "pre-trained with supercl" in panel.ui.pretrainState.text
    chart = panel.panel.pretrain.box._curves.chart
    table = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    assert [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())] == ["step", "position"]
    assert [table.GetValue(n, 0).ToDouble() for n in range(8)] == list(range(1, 9))
    assert table.GetValue(3, 1).ToDouble() == pytest.approx(3 / 4)
    assert slicer.app.layoutManager().plotViewCount == 1
    assert "for another" in panel.child("pretrainStart").toolTip


def test_a_job_says_what_it_does_before_the_first_step(a_quick_panel):
    panel, box = a_quick_panel, a_quick_panel.panel.pretrain.box
    said = []

    box.begin()
    said.append(box.line.text)
    for event in (
        {"kind": "start"},
        {"kind": "preparing", "cases": 16},
        {"kind": "prepared", "case": "a", "number": 2, "cases": 16},
        {"kind": "prepared", "case": "b", "number": 16, "cases": 16},
        {"kind": "case", "case": "c", "number": 3, "cases": 16},
    ):
        box.showEvents([event])
        said.append(box.line.text)

    assert said == [
        "Starting: PyTorch is being loaded ...",
        "Looking for cases and reading their headers ...",
        "reading case 1 of 16",
        "reading case 3 of 16",
        "16 cases are read",
        "case 3 of 16: c",
    ]
    assert (panel.child("pretrainProgress").value, panel.child("pretrainProgress").maximum) == (16, 16)


def test_done_says_how_good_a_round_is(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.ui.labelsFrom.currentIndex, panel.ui.startFrom.currentIndex = 1, 1
    panel.job("finetune")
    assert "round 1; no patients were held out" in panel.ui.finetuneState.text
    assert "no patients were held out" in panel.child("finetuneLine").text

    metrics = "step,liver,kidneys\n4,0.9,0.7\n8,0.8,0.7\n"
    (tmp_path / "run" / "finetune" / "01" / "metrics.csv").write_text(metrics, encoding="utf-8")
    panel.panel.refresh()

    assert "mean Dice 0.80 of held-out patients (liver 0.90, kidneys 0.70)" in panel.ui.finetuneState.text


def test_as_many_suggestions_as_asked_for(a_quick_panel, phantoms, tmp_path, a_pretrained_run):
    panel = a_quick_panel
    panel.choose(phantoms, a_pretrained_run)
    panel.ui.suggestCount.value = 5

    panel.job("suggest")
    slices = [
        panel.ui.suggestionTable.item(row, 1).text() for row in range(panel.ui.suggestionTable.rowCount)
    ]
    panel.ui.annotationKind.currentIndex = 1
    panel.job("suggest")
    cases = [panel.ui.suggestionTable.item(row, 1).text() for row in range(panel.ui.suggestionTable.rowCount)]

    assert len(slices) == 5
    assert "whole case" not in slices
    assert cases == ["whole case"] * 5


def test_the_check_shows_device_and_speed(a_quick_panel):
    from ContrastiveSegPanel import setup_step, user_settings

    panel = a_quick_panel

    panel.ui.checkButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert panel.state("setup") in ("done", "missing")  # packages of this Python may be missing
    assert "One training step of 8 slices" in panel.ui.setupLog.plainText
    assert user_settings.recall(setup_step.PASSED).endswith("\nstand-in, torch none, 80 slices/s")


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
    assert panel.ui.annotationCounts.text == "Annotated cases in some slices: 1 (slices: 1)"
    assert (tmp_path / "run" / "annotations" / "images" / "phantom_005.nii.gz").is_file()


def test_a_suggestion_opens_its_case_and_jumps_to_its_slice(
    a_quick_panel, phantoms, tmp_path, a_pretrained_run
):
    panel = a_quick_panel
    panel.choose(phantoms, a_pretrained_run)

    panel.job("suggest")
    table = panel.ui.suggestionTable
    assert [table.item(0, n).text() for n in range(4)] == ["phantom_001", "3", "0.9", "typical"]
    panel.click(table, 0)

    from ContrastiveSegLib.slicer_bridge import annotating, nodes

    volume = nodes.find_volume("phantom_001")
    assert nodes.shown_index(volume, 2) == 3
    slicer.util.selectModule("ContrastiveSeg")
    assert panel.ui.annotationKind.currentText == "Whole volume"  # it has labels of neighboring slices
    assert panel.ui.completeButton.toolTip == "In a whole volume every slice is complete."
    panel.ui.annotationKind.currentIndex = 0
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
