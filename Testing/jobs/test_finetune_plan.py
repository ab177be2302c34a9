"""`finetune --plan` says how many trainings there will be and how long they take; it touches nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.finetuning import _plan
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.runs.run_folder import RunFolder

SMALL = ["--base-channels", "4", "--batch", "4", "--device", "cpu", "--precision", "float32"]
DECIDED = ("steps", "batch", "base_channels")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two annotated patients, and five that nobody annotated."""
    folder = tmp_path_factory.mktemp("plan") / "data"
    write_phantom_folder(folder, PhantomCounts(unlabeled=5, labeled=2, test=0), shape=(6, 40, 40), seed=3)
    return folder


def _words(data: Path, run: Path, *more: str) -> list[str]:
    words = ["finetune", str(run), "--labeled", str(data / "labeled"), "--from", "none", "--steps", "4"]
    return [*words, "--spacing", "4", "--patch", "32", "32", *SMALL, *more]


def _plan_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    capsys.readouterr()
    assert main([*words, "--plan"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_plan_counts_trainings_scans_and_disk_and_decides_as_the_run_does(data, tmp_path, capsys):
    words = _words(data, tmp_path / "run", "--unlabeled", str(data / "unlabeled"), "--rounds", "1")

    plan = _plan_of(words, capsys)

    assert not (tmp_path / "run").exists()
    assert (plan["trainings"], plan["annotated"], plan["scans"]) == (2, 2, 5)
    assert plan["seconds"] >= 2 * plan["steps"] * plan["seconds_per_step"] > 0
    assert plan["memory_mb"] > 0
    assert main(words) == 0
    run = RunFolder(tmp_path / "run")
    settings = json.loads((run.finetune(1) / "settings.json").read_text(encoding="utf-8"))
    decided = settings["decided"]["finetune"]
    assert [plan[name] for name in DECIDED] == [decided[name] for name in DECIDED]
    assert plan["patch"] == decided["grid"]["patch"]
    assert main([*words, "--plan"]) == 0  # beside a finished round too, which stays what it is
    assert run.finetune_rounds(finished=True) == (1,)


def test_without_scans_it_is_one_training(data, tmp_path, capsys):
    plan = _plan_of(_words(data, tmp_path / "run", "--unlabeled", "none"), capsys)

    assert (plan["trainings"], plan["scans"], plan["disk_mb"]) == (1, 0, 0)


def test_what_would_fail_is_a_sentence(data, tmp_path, capsys):
    words = [
        "finetune",
        str(tmp_path / "run"),
        "--labeled",
        str(data / "unlabeled"),
        "--from",
        "none",
        "--plan",
    ]

    assert main(words) == 1

    assert "has labels" in capsys.readouterr().err


def test_a_few_cases_of_middle_size_are_read(data, tmp_path, capsys, monkeypatch):
    seen: list[int] = []
    middle_of = _plan.middle_of

    def counted(found, count, wanted=()):
        kept = middle_of(found, count, wanted)
        seen.append(len(kept.cases))
        return kept

    monkeypatch.setattr("ContrastiveSegLib.jobs.finetune.middle_of", counted)
    _plan_of(_words(data, tmp_path / "run", "--unlabeled", str(data / "unlabeled")), capsys)

    assert len(find_cases(data / "unlabeled").cases) == 5
    assert seen == [2, 3]
