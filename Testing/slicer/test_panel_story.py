"""A new user's way through all steps, with real jobs in real processes of another Python that has torch."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import slicer

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder


def _paint(node, volume, labels):
    """What a person would do with the brush: the true structures, segment by segment."""
    segments = node.GetSegmentation()
    for structure in labels.table.structures:
        identity = segments.GetSegmentIdBySegmentName(structure.name)
        mask = (labels.volume.array == structure.value).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)


def _annotate(panel, row, truth):
    """Select a case, open it, paint, come back, save."""
    panel.ui.caseTable.setCurrentCell(row, 0)
    panel.ui.annotateButton.click()
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    _paint(editor.segmentationNode(), editor.sourceVolumeNode(), truth)
    slicer.util.selectModule("ContrastiveSeg")
    panel.ui.saveAnnotationButton.click()


def test_from_a_folder_of_volumes_to_a_segmentation_in_the_scene(a_real_panel, phantoms, tmp_path):
    panel, run = a_real_panel, RunFolder(tmp_path / "my run")
    ui = panel.ui
    labeled = {case.name: read_labels(case.labels) for case in find_cases(phantoms / "labeled").cases}
    assert "torch" not in sys.modules

    # 0. Set-up: the other Python is found and takes a real training step.
    ui.checkButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy, 120)
    assert panel.state("setup") == "done"
    assert "slices/s" in ui.setupState.text

    # 1. Data: images alone, as of a collection nobody has labeled.
    data = tmp_path / "images"
    for source in phantoms.glob("*/images/*.nii.gz"):
        (data / source.name).parent.mkdir(exist_ok=True)
        (data / source.name).write_bytes(source.read_bytes())
    panel.choose(data, run.path)
    assert "6 cases, 0 with labels" in ui.dataState.text

    # 2. Pre-train with settings from the form.
    panel.child("pretraining_steps").text = "12"
    panel.child("pretraining_batch").text = "4"
    panel.child("pretraining_base_channels").text = "4"
    panel.child("pretraining_grid_patch").text = "32 32"
    panel.panel.pretrain.planner._timer.setInterval(0)
    ui.pretrainStep.collapsed = False
    panel.wait(lambda: "12 steps, about" in ui.pretrainEstimate.text, 120)
    panel.job("pretrain")
    assert panel.state("pretrain") == "done", ui.pretrainState.text
    asked = json.loads(run.settings.read_text(encoding="utf-8"))["pretrain"]
    assert (asked["steps"], asked["base_channels"], asked["grid"]["patch"]) == (12, 4, [32, 32])

    # 3. Annotate what is suggested first, and the two patients whose truth is known here.
    panel.job("suggest")
    assert ui.suggestionTable.rowCount > 1, ui.annotateState.text
    names = next(iter(labeled.values())).table.names
    panel.type(ui.structures, ", ".join(names))
    assert ui.annotationKind.currentText == "Some slices"
    ui.annotationKind.currentIndex = 1
    assert ui.annotationKindCaption.text == "What is not painted is background, in every slice."
    for row, name in enumerate(labeled):
        _annotate(panel, row, labeled[name])
    assert ui.annotationCounts.text == "Annotated cases whole: 2"
    saved = read_labels(run.annotations / "labels" / "phantom_001.seg.nrrd")
    assert np.array_equal(saved.volume.array > 0, labeled["phantom_001"].volume.array > 0)

    # 4. Fine-tune: the four scans that nobody annotated teach too, unless that is switched off.
    ui.learnUnannotated.click()
    assert ui.strategy.currentText == "Supervised"
    ui.learnUnannotated.click()
    panel.child("finetuning_steps").text = "8"
    panel.child("finetuning_options_rounds").value = 1
    assert "Rounds: 1. In each, the network predicts 4 scans" in ui.learnUnannotatedLine.text
    panel.job("finetune")
    assert panel.state("finetune") == "done", ui.finetuneState.text
    assert "Round 1 learns from" in panel.child("finetuneLog").plainText
    chart = panel.panel.finetune.box._curves.chart
    curves = {chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())}
    assert {f"used share {name}" for name in names} <= curves
    table = ModelFolder(run.finetune(1)).part(0).pseudo_label_table
    with table.open(encoding="utf-8-sig", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 4
    assert run.finetune_rounds(finished=True) == (1,)
    with ModelFolder(run.finetune(1)).cases.open(encoding="utf-8-sig", newline="") as stream:
        kinds = {row["case"]: row["annotation"] for row in csv.DictReader(stream) if row["annotation"]}
    assert kinds == dict.fromkeys(labeled, "whole case")

    # 5. Predict a case of the folder, and see it.
    volume = panel.panel.data.load("phantom_003")
    before = len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    ui.inputVolume.setCurrentNode(volume)
    panel.job("predict")
    assert panel.state("predict") == "done", ui.predictState.text
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert len(nodes) == before + 1
    expected = read_labels(run.prediction("phantom_003"))
    segments = nodes[-1].GetSegmentation()
    for structure in expected.table.structures:
        identity = segments.GetSegmentIdBySegmentName(structure.name)
        shown = slicer.util.arrayFromSegmentBinaryLabelmap(nodes[-1], identity, volume)
        assert np.array_equal(shown > 0, expected.volume.array == structure.value), structure.name
        assert np.allclose(segments.GetSegment(identity).GetColor(), structure.color, atol=1e-3)
    assert ui.volumesTable.rowCount == len(names)
    assert nodes[-1].GetNodeReference("referenceImageGeometryRef") is volume

    # The loop closes: the prediction is corrected, saved, and counted as an annotation.
    ui.correctButton.click()
    assert slicer.util.selectedModule() == "SegmentEditor"
    slicer.util.selectModule("ContrastiveSeg")
    ui.saveAnnotationButton.click()
    assert ui.annotationCounts.text == "Annotated cases whole: 3" or expected.volume.array.max() == 0

    # What was learned from is handed on to nnU-Net.
    ui.exportFormat.currentIndex = ui.exportFormat.findData("nnunet-raw")
    panel.slicer.dialogs.answer(str(tmp_path), to="Export to the folder")
    ui.exportRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy, 60)
    annotated = {case.name for case in find_cases(run.annotations).cases}
    exported = {case.name for case in find_cases(tmp_path / "Dataset100_my_run").cases}
    assert exported == annotated >= set(labeled), ui.runInfo.text

    # A restart of Slicer opens the run as it was.
    after = panel.restart()
    assert [after.state(step) for step in ("pretrain", "annotate", "finetune", "predict")] == ["done"] * 4
    assert "torch" not in sys.modules


def test_the_logic_predicts_for_scripts_blocking_and_with_a_callback(a_real_panel, phantoms, tmp_path):
    panel, run = a_real_panel, tmp_path / "run"
    panel.choose(phantoms, run)
    panel.ui.labelsFrom.currentIndex, panel.ui.startFrom.currentIndex = 1, 1
    for name, text in (("steps", "3"), ("batch", "2"), ("base_channels", "4"), ("grid_patch", "32 32")):
        panel.child(f"finetuning_{name}").text = text
    panel.job("finetune")
    assert panel.state("finetune") == "done", panel.ui.finetuneState.text
    volume = slicer.util.loadVolume(str(phantoms / "test" / "images" / "phantom_003.nii.gz"))
    answers = []

    node = panel.logic.predict(volume, run)
    panel.logic.predict(volume, run, callback=lambda *answer: answers.append(answer))
    panel.wait(lambda: answers, 120)

    assert node.IsA("vtkMRMLSegmentationNode")
    (other, error) = answers[0]
    assert (error, other is node) == ("", False)
