"""Coarse to fine: networks of self-training that see half the pixels, and a last one that sees all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.finetuning import _resolution, _rounds
from ContrastiveSegLib.networks.weights import read_model_card
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.training.pseudo_labels import PseudoLabels
from Testing.jobs.test_self_training import events_of, finetune, make_short


@pytest.fixture(autouse=True)
def _short_and_coarse(monkeypatch) -> None:
    make_short(monkeypatch)
    monkeypatch.setattr(_resolution, "SHOWN", 0.0)  # phantoms have few pixels


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_folder(folder, PhantomCounts(unlabeled=4, labeled=1, test=0), seed=0)
    return folder


def factors(run: Path, *numbers: int) -> list[int]:
    """How much coarser than the grid the networks of these trainings, and the last one, compute."""
    model = ModelFolder(RunFolder(run).finetune(1))
    cards = [read_model_card(folder) for folder in (*map(model.part, numbers), model)]
    return [card["arguments"].get("downsampling", 1) for card in cards]


def test_all_trainings_but_the_last_are_at_half_the_resolution(phantom_folder, tmp_path):
    assert finetune(tmp_path / "run", phantom_folder, "--coarse-to-fine") == 0

    assert factors(tmp_path / "run", 0, 1, 2) == [2, 2, 1, 1]
    notes = [event["text"] for event in events_of(tmp_path / "run", "note")]
    assert "All trainings but the last see the images at half the resolution." in notes


@pytest.mark.parametrize("ended_by", ["predictions", "student"])
def test_a_coarse_network_that_is_the_last_one_goes_on_at_full_resolution(
    phantom_folder, tmp_path, monkeypatch, ended_by
):
    if ended_by == "predictions":
        monkeypatch.setattr(_rounds, "choose", lambda *_, **__: PseudoLabels((), {}, {}, "none is good"))
    else:
        monkeypatch.setattr(_rounds, "_forgot", lambda *_: "it forgot")

    assert finetune(tmp_path / "run", phantom_folder, "--coarse-to-fine") == 0

    last = 1 if ended_by == "predictions" else 2
    model = ModelFolder(RunFolder(tmp_path / "run").finetune(1))
    assert factors(tmp_path / "run", 0, last) == [2, 1, 1]
    assert model.weights.read_bytes() == model.part(last).weights.read_bytes()
    assert events_of(tmp_path / "run", "progress")[-1]["terms"].keys() == {"dice_ce"}
    warnings = [event["text"] for event in events_of(tmp_path / "run", "warning")]
    assert any("goes on at full resolution, with the annotated cases alone" in text for text in warnings)
