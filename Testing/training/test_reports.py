"""A training tells how it goes: progress, collapse, and numbers that are lost."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.errors import Diverged
from ContrastiveSegLib.training.batches import Batch
from ContrastiveSegLib.training.checkpoint import load_state
from Testing.training.probing import (
    CPU,
    Probe,
    Witness,
    how,
    probe,
)


@pytest.mark.usefixtures("speak_always")
@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_training(tmp_path, lost):
    def loss(probe: Probe, call: int) -> Tensor:
        return probe.weight.sum() * (lost if call == 5 else 1)

    with pytest.raises(
        Diverged, match=r"no longer a number near step 5: probe (nan|inf)\. Begin a new run with a lower"
    ):
        probe(how(tmp_path / "last"), Probe(loss))

    assert load_state(tmp_path / "last", CPU.device)["learner"]["weight"].isfinite().all()


def test_lost_weights_are_never_saved(tmp_path):
    def loss(probe: Probe, call: int) -> Tensor:
        return probe.weight.sum() * (math.nan if call == 5 else 1)

    with pytest.raises(Diverged, match="near step 6"):  # the end of the epoch, long before the next report
        probe(how(tmp_path / "last"), Probe(loss))

    state = load_state(tmp_path / "last", CPU.device)
    assert state["step"] == 3
    assert state["learner"]["weight"].isfinite().all()


@pytest.mark.usefixtures("speak_always")
def test_progress_tells_step_terms_rate_memory_and_time_left(tmp_path):
    watch = Witness()

    probe(how(tmp_path / "last"), Probe(lambda probe, call: probe.weight.sum() * 0 + call), watch)

    facts = [facts for kind, facts in watch.events if kind == "progress"]
    assert [f["step"] for f in facts] == [1, 2, 3, 4, 5, 6, 7]
    assert [f["terms"] for f in facts] == [{"probe": float(n)} for n in range(1, 8)]
    assert facts[0]["lr"] == pytest.approx(0.05)
    assert facts[-1]["eta_s"] == 0
    assert all(f["images_per_s"] > 0 and f["memory_mb"] > 0 and f["steps"] == 7 for f in facts)


def test_between_reports_terms_are_averaged(tmp_path):
    watch = Witness()

    probe(how(tmp_path / "last"), Probe(lambda probe, call: probe.weight.sum() * 0 + call), watch)

    (kind, facts), *_ = watch.events
    assert (kind, facts["step"], facts["terms"]) == ("progress", 7, {"probe": 4.0})


@pytest.mark.usefixtures("speak_always")
def test_a_collapse_is_reported_while_it_can_be_corrected_and_again_at_the_end(tmp_path):
    watch = Witness()

    training = how(tmp_path / "last", steps=10, collapse=lambda images: 1.25 * images)
    probe(training, Probe(lambda probe, _: probe.weight.sum() * 0 + 5), watch)

    assert [facts for kind, facts in watch.events if kind == "warning"] == [{"step": 2}, {"step": 10}]
    assert "If it stays so, begin a new run" in watch.warnings[0]
    assert "Do not build on this model" in watch.warnings[1]
    assert (
        "The features have collapsed: the loss stays at the value it has if all images looked alike"
        in watch.warnings[0]
    )


@pytest.mark.usefixtures("speak_always")
def test_a_loss_beside_the_collapse_value_is_no_collapse(tmp_path):
    watch = Witness()

    probe(how(tmp_path / "last", collapse=lambda _: 5.1), Probe(lambda p, _: p.weight.sum() * 0 + 5), watch)

    assert watch.warnings == []


@pytest.mark.usefixtures("speak_always")
def test_equal_features_are_a_collapse_whatever_the_loss_is(tmp_path):
    class Collapsing(Probe):
        def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
            self.watched["spread"] = torch.tensor(0.001)
            return super().loss_terms(batch, generator)

    watch = Witness()
    probe(how(tmp_path / "last", steps=10), Collapsing(), watch)

    assert len(watch.warnings) == 2
    assert all(
        facts["watched"]["spread"] == pytest.approx(0.001) for k, facts in watch.events if k == "progress"
    )


@pytest.mark.usefixtures("speak_always")
def test_the_time_left_counts_other_trainings_and_what_comes_besides(tmp_path):
    watch = Witness()

    probe(how(tmp_path / "last", before=7, after=14, besides=6.5), Probe(), watch)

    facts = [facts for kind, facts in watch.events if kind == "progress"]
    seconds = [4 / f["images_per_s"] for f in facts]  # batches of 4
    assert [f["step"] for f in facts] == [8, 9, 10, 11, 12, 13, 14]
    expected = [s * (28 - f["step"] + 6.5) for s, f in zip(seconds, facts, strict=True)]
    assert [f["eta_s"] for f in facts] == pytest.approx(expected)
