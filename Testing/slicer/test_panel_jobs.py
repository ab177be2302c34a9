"""Jobs cancelled, killed, found again after a restart, and run folders that moved away or broke."""

from __future__ import annotations

import json
import os
import signal

import slicer

from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.job_settings import FinetuneSettings


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
    assert "ended without a message" in panel.ui.pretrainState.text
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
    assert "ended without a message" in after.ui.pretrainState.text
    assert after.child("pretrainLine").text == ""  # a progress of today, not of before the restart


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


def test_self_training_that_was_killed_is_resumed(a_quick_panel, phantoms, tmp_path):
    run = RunFolder(tmp_path / "run")
    run.create()
    run.begin_finetune(FinetuneSettings(run=run.path, labeled=phantoms, start="none"))
    first = ModelFolder(run.finetune(1)).part(0)
    first.path.mkdir(parents=True)
    first.last.write_bytes(b"state")

    a_quick_panel.choose(phantoms, run.path)

    assert a_quick_panel.child("finetuneStart").text == "Resume"


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
