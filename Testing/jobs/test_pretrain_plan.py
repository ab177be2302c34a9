"""`pretrain --plan` says what would be done and how long it takes, and touches nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.preprocessing.prepared_cache import prepare_cases
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.training import trial
from Testing.training.probing import Probe, a_sampler, how

SMALL = [
    "--base-channels",
    "4",
    "--batch",
    "4",
    "--device",
    "cpu",
    "--precision",
    "float32",
    "--spacing",
    "6",
]


def plan_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    capsys.readouterr()
    assert main([*words, "--plan"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("method", ["pcl", "supercl"])
def test_a_plan_says_what_the_run_will_decide(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    words = ["pretrain", str(tmp_path / "run"), "--images", str(phantoms), "--epochs", "1", *SMALL]
    words += ["--method", method, "--patch", "32", "32"]

    plan = plan_of(words, capsys)

    assert not (tmp_path / "run").exists()
    assert plan["seconds_per_step"] > 0
    assert plan["seconds_per_case"] > 0
    assert plan["memory_mb"] > 0
    assert (plan["cases"], plan["batch"], plan["patch"], plan["base_channels"]) == (6, 4, [32, 32], 4)
    assert main(words) == 0
    decided = json.loads(RunFolder(tmp_path / "run").settings.read_text(encoding="utf-8"))["decided"][
        "pretrain"
    ]
    assert plan["steps"] == decided["steps"] == plan["slices"] // 4


def test_two_cases_are_read_however_many_there_are(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def noting(cases, *args, **options):  # type: ignore[no-untyped-def]
        read.extend(cases)
        return prepare_cases(cases, *args, **options)

    monkeypatch.setattr("ContrastiveSegLib.jobs.pretrain.prepare_cases", noting)
    plan_of(
        ["pretrain", str(tmp_path / "run"), "--images", str(phantoms), *SMALL, "--patch", "32", "32"], capsys
    )

    assert len(read) == 2
    assert not list(tmp_path.iterdir())


def test_a_trial_takes_as_many_steps_as_fit_and_measures_without_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def pretended(_learner, _parameters, _sampler, how, watch):  # type: ignore[no-untyped-def]
        ran.append(how.schedule.steps)
        # The first step is ten times slower: kernels are chosen, memory is taken.
        rate = how.schedule.batch / (0.5 if len(ran) == 1 else 0.05)
        watch.log_event("progress", images_per_s=rate, memory_mb=100.0)

    monkeypatch.setattr(trial, "train", pretended)
    tried = trial.try_steps(Probe(), [], a_sampler(), how(tmp_path / "last"))

    assert ran == [1, 6]
    assert tried.seconds_per_step == pytest.approx(0.05)
