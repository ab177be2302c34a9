"""Self-training from the command line: rounds that can be seen, cancelled and taken up again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.finetuning import _rounds
from ContrastiveSegLib.networks.weights import read_model_card
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.postprocessing.spatial_prior import places_to_json
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session import reporter
from ContrastiveSegLib.session.device import choose_compute
from ContrastiveSegLib.settings.job_settings import Compute
from ContrastiveSegLib.training import norm_statistics, pseudo_labels
from ContrastiveSegLib.training.fine_tuned import finished_round, load
from ContrastiveSegLib.training.pseudo_labels import PseudoLabels
from Testing.jobs.strokes import with_strokes

STEPS = 3
FAST = ["--from", "none", "--steps", str(STEPS), "--base-channels", "4", "--batch", "4", "--device", "cpu",
        "--precision", "float32", "--patch", "32", "32", "--spacing", "6",
        ]  # fmt: skip


def make_short(patch: pytest.MonkeyPatch) -> None:
    """Networks of three steps lose structures, which would end self-training."""
    patch.setattr(norm_statistics, "STEPS", 2)
    patch.setattr(pseudo_labels, "_trouble", lambda *_: "")
    patch.setattr(_rounds, "FORGOTTEN", 1.0)


@pytest.fixture(autouse=True)
def _short(monkeypatch) -> None:
    make_short(monkeypatch)


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_folder(folder, PhantomCounts(unlabeled=4, labeled=1, test=0), seed=0)
    return folder


def finetune(run: Path, folder: Path, *words: str) -> int:
    labeled, scans = str(folder / "labeled"), str(folder)
    return main(["finetune", str(run), "--labeled", labeled, "--unlabeled", scans, *FAST, *words])


def events_of(run: Path, kind: str) -> list[dict]:
    return [event for event in read_new(run / "events.jsonl")[0] if event["kind"] == kind]


def weights(run: Path) -> bytes:
    return ModelFolder(RunFolder(run).finetune(1)).weights.read_bytes()


@pytest.fixture(scope="module")
def a_finished_run(phantom_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        make_short(patch)
        assert finetune(run, phantom_folder) == 0
    return run


def test_rounds_are_told_with_what_teaches_in_each(a_finished_run):
    told = events_of(a_finished_run, "pseudo_labels")

    assert [event["round"] for event in told] == [1, 2]
    assert all(event["cases"] + len(event["left_out"]) == 4 for event in told)
    assert all(0 < share <= 1 for event in told for share in event["used_share"].values())
    steps = [event["step"] for event in events_of(a_finished_run, "progress")]
    assert steps == sorted(steps)
    assert steps[-1] == 3 * STEPS
    assert {event["steps"] for event in events_of(a_finished_run, "progress")} == {3 * STEPS}


def test_the_tables_stay_and_the_predictions_go(a_finished_run):
    model = ModelFolder(RunFolder(a_finished_run).finetune(1))

    for number in (0, 1):
        rows = list(csv.DictReader(model.part(number).pseudo_label_table.open()))
        assert len(rows) == 4
        assert not model.part(number).pseudo_labels.exists()
    roles = [row["role"] for row in csv.DictReader(model.cases.open())]
    assert sorted(set(roles)) == [
        "left out",
        "train",
        "unannotated",
    ]  # the annotated one is not learned twice
    assert roles.count("unannotated") == 4


def test_a_finished_run_is_left_alone(a_finished_run, phantom_folder):
    before = weights(a_finished_run)

    assert finetune(a_finished_run, phantom_folder) == 0

    assert weights(a_finished_run) == before
    assert RunFolder(a_finished_run).finetune_rounds() == (1,)


def test_more_scans_begin_a_new_round(phantom_folder, tmp_path):
    one = find_cases(phantom_folder / "unlabeled").cases[0].name
    for words in (["--leave-out", one], []):
        assert finetune(tmp_path / "run", phantom_folder, "--rounds", "1", *words) == 0

    assert RunFolder(tmp_path / "run").finetune_rounds() == (1, 2)


@pytest.mark.parametrize("stop_at", [1, STEPS + 3, 2 * STEPS + 8])
def test_a_cancelled_and_resumed_run_ends_with_the_same_bits(
    a_finished_run, phantom_folder, tmp_path, monkeypatch, stop_at
):
    asked = iter(range(10**6))
    monkeypatch.setattr(reporter.Reporter, "cancelled", lambda _: next(asked) == stop_at)

    assert finetune(tmp_path / "run", phantom_folder) == 130
    assert not ModelFolder(RunFolder(tmp_path / "run").finetune(1)).is_finished
    assert finetune(tmp_path / "run", phantom_folder) == 0

    assert weights(tmp_path / "run") == weights(a_finished_run)


def test_prediction_knows_where_structures_usually_lie(a_finished_run, phantom_folder, tmp_path):
    card = read_model_card(ModelFolder(RunFolder(a_finished_run).finetune(1)))
    model = load(finished_round(RunFolder(a_finished_run), None), choose_compute(Compute()))

    assert places_to_json(model.places) == card["places"]
    assert {tuple(place["group"]) for place in card["places"]} <= {
        tuple(g) for g in card["single_components"]
    }
    words = ["predict", str(a_finished_run), "--images", str(phantom_folder / "labeled")]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0


def test_trouble_with_the_predictions_ends_it_with_the_network_before(phantom_folder, tmp_path, monkeypatch):
    trouble = PseudoLabels((), {}, {}, '"heart" has nearly vanished from the predictions')
    monkeypatch.setattr(_rounds, "choose", lambda *_, **__: trouble)

    assert finetune(tmp_path / "run", phantom_folder) == 0

    model = ModelFolder(RunFolder(tmp_path / "run").finetune(1))
    assert model.weights.read_bytes() == model.part(0).weights.read_bytes()
    warnings = [event["text"] for event in events_of(tmp_path / "run", "warning")]
    assert (
        'Self-training stops: round 1 of 2 does not begin, because "heart" has nearly vanished from the '
        "predictions. The model is that of the round before." in warnings
    )


def test_a_student_that_forgot_what_was_drawn_is_not_kept(phantom_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(_rounds, "FORGOTTEN", 0.05)
    first = iter([0.8, 0.7])  # of the teacher, of the student

    def dice(teacher, *_: object) -> np.ndarray:
        assert not teacher.network.training  # batch norm with the statistics of the batch is another network
        return np.array([next(first), *[0.8] * (len(teacher.names) - 1)])

    monkeypatch.setattr(_rounds, "dice_of", dice)

    assert finetune(tmp_path / "run", phantom_folder) == 0

    model = ModelFolder(RunFolder(tmp_path / "run").finetune(1))
    assert model.weights.read_bytes() == model.part(0).weights.read_bytes()
    texts = [event["text"] for event in events_of(tmp_path / "run", "warning")]
    assert any(
        "is 0.70, that of its teacher 0.80. The model is that of the round before." in t for t in texts
    )


def test_without_scans_only_the_annotated_cases_teach(phantom_folder, tmp_path):
    assert finetune(tmp_path / "run", phantom_folder, "--unlabeled", "none") == 0

    assert events_of(tmp_path / "run", "progress")[-1]["steps"] == STEPS
    assert events_of(tmp_path / "run", "pseudo_labels") == []


def test_with_more_annotated_patients_the_scans_teach_only_if_asked(phantom_folder, tmp_path):
    words = ["--rounds", "1", "--most-patients"]
    write_phantom_folder(tmp_path / "more", PhantomCounts(unlabeled=3, labeled=3, test=0), seed=5)
    both = ["--labeled", str(tmp_path / "more" / "labeled"), "--unlabeled", str(tmp_path / "more")]

    for most, rounds in (("2", 0), ("3", 1)):
        run = tmp_path / f"run{most}"
        assert finetune(run, phantom_folder, *words, most, *both) == 0
        assert len(events_of(run, "pseudo_labels")) == rounds
        notes = [event["text"] for event in events_of(run, "note")]
        said = "self_training learns from the annotated cases alone: 3 patients are annotated, and with more"
        assert any(note.startswith(said) for note in notes) == (rounds == 0)


def test_where_nothing_names_scans_it_is_said(phantom_folder, tmp_path):
    assert finetune(tmp_path / "run", phantom_folder, "--unlabeled", "") == 0

    notes = [event["text"] for event in events_of(tmp_path / "run", "note")]
    assert any("There are no scans without annotation to learn from" in note for note in notes)


def test_a_strategy_that_does_not_learn_from_scans_says_so(phantom_folder, tmp_path):
    assert finetune(tmp_path / "run", phantom_folder, "--strategy", "supervised") == 0

    texts = [event["text"] for event in events_of(tmp_path / "run", "note")]
    said = (
        "supervised learns from the annotated cases alone: it learns nothing from scans without annotation."
    )
    assert any(text.startswith(said) for text in texts)


@pytest.mark.parametrize("words", [[], ["--no-continued"]])
def test_a_round_goes_on_from_the_network_before_it_unless_that_is_not_wanted(
    phantom_folder, tmp_path, monkeypatch, words
):
    begins, whole = [], _rounds.train_network

    def spy(task, strategy, *rest):
        begins.append({name: one.clone() for name, one in strategy.network.state_dict().items()})
        return whole(task, strategy, *rest)

    monkeypatch.setattr(_rounds, "train_network", spy)
    assert finetune(tmp_path / "run", phantom_folder, *words) == 0

    model = ModelFolder(RunFolder(tmp_path / "run").finetune(1))
    for number in (1, 2):
        before = load_file(model.part(number - 1).weights)
        same = [torch.equal(before[name], one) for name, one in begins[number].items()]
        assert all(same) != bool(words)


def test_scribbles_are_learned_by_pclmix_and_then_completed(phantom_folder, tmp_path, monkeypatch):
    scribbles = with_strokes(phantom_folder / "labeled", tmp_path / "scribbled")
    seen = []
    whole = _rounds.complete
    monkeypatch.setattr(_rounds, "complete", lambda *given: seen.append(whole(*given)) or seen[-1])

    words = ["--labeled", str(scribbles), "--unlabeled", str(phantom_folder / "unlabeled"), "--rounds", "1"]
    assert main(["finetune", str(tmp_path / "run"), *words, *FAST]) == 0

    texts = [event["text"] for event in events_of(tmp_path / "run", "note")]
    assert "The first network learns from scribbles with pclmix." in texts
    terms = [set(event["terms"]) for event in events_of(tmp_path / "run", "progress")]
    assert {"scribbles", "mixed_scribbles"} <= terms[0]
    assert terms[-1] <= {"dice_ce", "pseudo_labels"}
    assert [case.annotation for case in seen[0].values()] == ["cases"]
    assert not any("needs whole slices" in event["text"] for event in events_of(tmp_path / "run", "warning"))


def test_blocks_and_single_slices_learn_from_scans_too(phantom_folder, tmp_path):
    name = find_cases(phantom_folder / "labeled").cases[0].name
    table = tmp_path / "slices.csv"
    table.write_text(f"case,slice\n{name},12\n{name},14\n")

    words = [
        "--spatial-dims",
        "3",
        "--patch",
        "4",
        "32",
        "32",
        "--rounds",
        "1",
        "--annotated-slices",
        str(table),
    ]
    assert finetune(tmp_path / "run", phantom_folder, *words) == 0

    assert [event["round"] for event in events_of(tmp_path / "run", "pseudo_labels")] == [1]
    assert events_of(tmp_path / "run", "progress")[-1]["terms"].keys() == {"dice_ce", "pseudo_labels"}


def test_the_mean_teacher_learns_from_scans_in_one_training(phantom_folder, tmp_path):
    assert finetune(tmp_path / "run", phantom_folder, "--strategy", "mean_teacher") == 0

    last = events_of(tmp_path / "run", "progress")[-1]
    assert last["steps"] == STEPS
    assert last["terms"].keys() == {"dice_ce", "strong_views"}
    assert 0 < last["watched"]["taught_share"] <= 1
