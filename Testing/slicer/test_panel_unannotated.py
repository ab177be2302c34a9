"""The check box for scans that nobody annotated: when it is set, what the job is told, what is drawn."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import slicer

from ContrastiveSegLib.settings.job_settings import JOBS, FinetuneSettings
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.slicer_bridge import annotating, nodes


@pytest.fixture
def a_panel(a_quick_panel, phantoms, tmp_path):
    """With six cases of which one is annotated in the run; fine-tuning starts from scratch."""
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.type(panel.ui.structures, "liver")
    panel.panel.annotate.open("phantom_005")
    node, volume = annotating.annotation_of("phantom_005"), nodes.find_volume("phantom_005")
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[4, 10:20, 10:20] = 1
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)
    slicer.util.selectModule("ContrastiveSeg")
    panel.ui.saveAnnotationButton.click()
    panel.ui.startFrom.currentIndex = 1
    return panel


def _order(tmp_path) -> FinetuneSettings:
    """What the job was told; the real one would take it."""
    order = json.loads((tmp_path / "run" / "panel" / "finetune.json").read_text(encoding="utf-8"))
    return from_dict(JOBS["finetune"], order["finetune"])


def test_the_estimate_before_the_start_knows_all_trainings_and_the_disk(a_panel):
    ui, planner = a_panel.ui, a_panel.panel.finetune.planner
    assert ui.finetuneEstimate.text == "", "nothing is measured while nobody looks"
    planner._timer.setInterval(0)
    ui.finetuneStep.collapsed = False
    assert ui.finetuneEstimate.text == "How long it takes is being measured ..."

    a_panel.wait(lambda: "measured on this computer" in ui.finetuneEstimate.text)

    assert ui.finetuneEstimate.text == (
        "3 trainings of 1500 steps, about 30 min, 0.9 GB of memory and 300 MB of disk space "
        "(measured on this computer)"
    )
    ui.learnUnannotated.click()
    a_panel.wait(lambda: "measured on this computer" in ui.finetuneEstimate.text)
    assert ui.finetuneEstimate.text == (
        "1500 steps, about 10 min, 0.9 GB of memory (measured on this computer)"
    )
    assert not (a_panel.panel.run.path / "finetune").exists(), "a plan is no fine-tuning"


def test_the_estimate_is_gone_while_it_learns_and_the_job_comes_first(a_panel):
    ui, planner = a_panel.ui, a_panel.panel.finetune.planner
    planner._timer.setInterval(0)
    ui.finetuneStep.collapsed = False
    a_panel.wait(lambda: planner._monitor.isBusy)
    measuring = planner._monitor.job

    a_panel.job("finetune")

    assert not measuring.is_running()
    assert a_panel.state("finetune") == "done", ui.finetuneState.text


def test_with_enough_scans_the_tick_is_set_and_the_job_learns_from_them(a_panel, phantoms, tmp_path):
    ui = a_panel.ui
    assert ui.learnUnannotated.checked
    assert ui.learnUnannotated.enabled
    assert ui.strategy.currentText == "Self-training"
    assert ui.learnUnannotatedLine.text == (
        "Takes up to 3 times as long. Rounds: 2. In each, the network predicts 5 scans and learns on."
    )

    a_panel.job("finetune")

    assert (_order(tmp_path).strategy, _order(tmp_path).unlabeled) == ("self_training", str(phantoms))
    chart = a_panel.panel.finetune.box._curves.chart
    names = {chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())}
    assert {"used share bright", "used share middle", "loss dice_ce"} <= names
    assert "learns from 4 of 4 predicted scans" in a_panel.child("finetuneLog").plainText


def test_scribbles_are_learned_by_a_strategy_made_for_them_with_and_without_scans(a_panel):
    ui, state = a_panel.ui, a_panel.panel.state
    with_scribbles = dataclasses.replace(state, annotated=dataclasses.replace(state.annotated, scribbles=1))
    a_panel.panel.state = with_scribbles
    a_panel.panel.finetune.refresh()
    assert ui.strategy.currentText == "Self-training"

    ui.learnUnannotated.click()

    assert ui.strategy.currentText == "PCLMix"


def test_without_the_tick_only_annotations_teach(a_panel, tmp_path):
    ui = a_panel.ui

    ui.learnUnannotated.click()
    assert ui.strategy.currentText == "Supervised"
    assert ui.learnUnannotatedLine.text == ""
    a_panel.job("finetune")

    assert (_order(tmp_path).strategy, _order(tmp_path).unlabeled) == ("supervised", "")
    a_panel.panel.fill()
    assert not ui.learnUnannotated.checked, "what the user chose stays"
    ui.learnUnannotated.click()
    assert ui.strategy.currentText == "Self-training"


def test_with_too_few_scans_the_tick_is_off_and_says_why(a_panel):
    ui = a_panel.ui

    ui.labelsFrom.currentIndex = 1

    assert not ui.learnUnannotated.checked
    assert not ui.learnUnannotated.enabled
    assert ui.learnUnannotated.toolTip == (
        "At least 3 scans without annotation are needed; the data folder has 2."
    )
    assert ui.strategy.currentText == "Supervised"
    ui.labelsFrom.currentIndex = 0
    assert ui.learnUnannotated.checked, "nobody chose to have it off"


def test_the_tick_follows_the_strategy_and_its_rounds(a_panel):
    ui = a_panel.ui

    a_panel.child("finetuning_options_rounds").value = 3
    assert ui.learnUnannotatedLine.text.startswith("Takes up to 4 times as long")
    ui.strategy.currentIndex = ui.strategy.findText("Mean teacher")
    assert ui.learnUnannotated.checked
    assert "parts of 5 scans without annotation" in ui.learnUnannotatedLine.text
    ui.strategy.currentIndex = ui.strategy.findText("Supervised")
    assert not ui.learnUnannotated.checked


def test_with_more_annotated_patients_the_line_says_that_only_these_teach(a_panel, monkeypatch):
    box = a_panel.panel.finetune.unannotatedBox
    assert (box._patients(False), box._patients(True)) == (1, 4)  # in the run, in the data folder

    monkeypatch.setattr(box, "_patients", lambda _fromData: 3)
    a_panel.panel.refresh()

    said = "3 patients are annotated; with more than 2 only these teach."
    assert a_panel.ui.learnUnannotatedLine.text.startswith(said)


def test_settings_of_all_strategies_outlive_a_click_on_the_tick(a_panel):
    a_panel.child("finetuning_steps").text = "12"

    a_panel.ui.learnUnannotated.click()

    assert a_panel.child("finetuning_steps").text == "12"


def test_a_folder_named_in_the_form_is_taken_instead(a_panel, phantoms, tmp_path):
    a_panel.child("finetuning_unlabeled").text = str(phantoms / "test")

    a_panel.job("finetune")

    assert _order(tmp_path).unlabeled == str(phantoms / "test")
