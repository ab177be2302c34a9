"""The estimate before a pre-training: measured for the chosen method, while nothing else runs."""

from __future__ import annotations


def test_the_estimate_is_measured_for_the_chosen_method_before_the_first_run(
    a_quick_panel, phantoms, tmp_path
):
    panel, ui = a_quick_panel, a_quick_panel.ui
    planner = panel.panel.pretrain.planner
    planner._timer.setInterval(0)
    panel.choose(phantoms, tmp_path / "run")
    ui.pretrainStep.collapsed = False
    assert "how long they take is being measured" in ui.pretrainEstimate.text

    panel.wait(lambda: "measured on this computer" in ui.pretrainEstimate.text)

    # 100 passes of 5 steps of 0.5 s, 6 cases of 1 s, 4 s to start.
    assert ui.pretrainEstimate.text.startswith("500 steps, about 4 min, 0.7 GB of memory")
    ui.pretrainPreset.currentIndex = 0
    assert ui.pretrainEstimate.text.startswith("300 steps, about 3 min")
    ui.pretrainPreset.currentIndex = 2
    assert ui.pretrainEstimate.text.startswith("1500 steps, about 13 min")
    panel.child("pretraining_steps").text = "20"
    assert ui.pretrainEstimate.text.startswith("20 steps, about 20 s")
    assert not planner._monitor.isBusy, "how many steps is no reason to measure again"


def test_another_method_is_measured_anew_and_a_job_comes_first(a_quick_panel, phantoms, tmp_path):
    panel, planner = a_quick_panel, a_quick_panel.panel.pretrain.planner
    panel.choose(phantoms, tmp_path / "run")
    panel.ui.pretrainStep.collapsed = False
    planner._timer.setInterval(0)
    panel.ui.pretrainMethod.currentIndex = panel.ui.pretrainMethod.findText("MoCo")
    panel.wait(lambda: planner._monitor.isBusy)
    measuring = planner._monitor.job

    panel.job("pretrain")

    assert not measuring.is_running()
    assert panel.state("pretrain") == "done", panel.ui.pretrainState.text


def test_nothing_is_measured_while_nobody_looks_at_the_step(a_quick_panel, phantoms, tmp_path):
    panel, planner = a_quick_panel, a_quick_panel.panel.pretrain.planner
    planner._timer.setInterval(0)

    panel.choose(phantoms, tmp_path / "run")
    panel.slicer.process_events()

    assert not planner._timer.active
    assert not planner._monitor.isBusy
    assert panel.ui.pretrainEstimate.text == "100 steps"


def test_a_setting_that_cannot_be_planned_is_said_beside_the_form(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.ui.pretrainStep.collapsed = False

    panel.child("pretraining_lr").text = "99"

    assert "The setting 'learning rate' is 99.0; allowed is a number" in panel.ui.pretrainEstimate.text
