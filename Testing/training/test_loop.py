"""What a step does: terms are added, gradients limited, the best or the average weights stay."""

from __future__ import annotations

import contextlib
import math

import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.errors import Cancelled
from ContrastiveSegLib.training import loop
from ContrastiveSegLib.training.batches import Batch
from Testing.training.probing import (
    STEPS,
    Probe,
    Witness,
    how,
    probe,
    weights_after,
)


def test_another_seed_gives_other_weights(tmp_path):
    one, other = (weights_after(how(tmp_path / str(seed), seed=seed)) for seed in (0, 1))

    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_huge_gradient_moves_weights_only_so_far(tmp_path):
    learner = probe(how(tmp_path / "last", steps=1), Probe(lambda probe, _: 1e6 * probe.weight.sum()))

    assert learner.weight.item() == pytest.approx(1 - 0.05 * loop.LARGEST_GRADIENT, rel=1e-4)


def test_terms_are_added_up(tmp_path):
    class Two(Probe):
        def loss_terms(self, *_: object) -> dict[str, Tensor]:
            return {"one": self.weight.sum(), "other": 2 * self.weight.sum()}

    learner = probe(how(tmp_path / "last", steps=1), Two())

    assert learner.weight.item() == pytest.approx(1 - 0.05 * 3, rel=1e-4)


def test_the_best_weights_win_and_the_later_of_two_equals(tmp_path):
    scores, weights = iter([0.1, 0.8, 0.8, 0.3]), []
    learner = Probe()

    def score(step: int) -> float:
        assert not learner.training
        weights.append((step, learner.weight.item()))
        return next(scores)

    probe(how(tmp_path / "last", steps=8, epoch=2, score=score), learner)

    assert [step for step, _ in weights] == [2, 4, 6, 8]
    assert learner.weight.item() == weights[2][1]
    assert learner.weight.item() != weights[3][1]


def test_the_average_of_the_weights_is_judged_and_stays(tmp_path):
    taken, judged = [], []

    def loss(probe: Probe, _: int) -> Tensor:
        taken.append(probe.weight.item())  # the weights before each step
        return probe.weight.square().sum()

    def score(_: int) -> float:
        judged.append(learner.weight.item())
        return 1.0

    longer = Probe(loss)
    probe(how(tmp_path / "longer", steps=4), longer)
    learner = Probe()
    probe(how(tmp_path / "last", steps=4, epoch=4, average=0.9, score=score), learner)

    by_hand = taken[0]
    for step, weight in enumerate([*taken[1:], longer.weight.item()], start=1):
        decay = min(0.9, step / (step + 10))
        by_hand = decay * by_hand + (1 - decay) * weight
    assert judged == [pytest.approx(by_hand, rel=1e-5)]
    assert learner.weight.item() == judged[0]


def test_scores_that_are_no_numbers_leave_the_last_weights(tmp_path):
    whole = probe(how(tmp_path / "whole"), Probe())

    unscored = probe(how(tmp_path / "last", score=lambda _: math.nan), Probe())

    assert unscored.weight.item() == whole.weight.item()


def test_learning_happens_in_training_mode(tmp_path):
    modes = set()

    def loss(probe: Probe, _: int) -> Tensor:
        modes.add(probe.training)
        return probe.weight.sum()

    probe(how(tmp_path / "last", score=lambda _: 0.0), Probe(loss).eval())

    assert modes == {True}


def test_every_step_draws_new_numbers_and_draws_them_again_after_an_interruption(tmp_path):
    class Drawing(Probe):
        def __init__(self) -> None:
            super().__init__()
            self.drawn: list[tuple[float, float]] = []

        def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
            self.drawn.append((torch.rand(1, generator=generator).item(), torch.rand(1).item()))
            return super().loss_terms(batch, generator)

    def numbers(state: str, watch: Witness | None = None, seed: int = 0) -> list[tuple[float, float]]:
        learner = Drawing()
        with contextlib.suppress(Cancelled):
            probe(how(tmp_path / state, seed=seed), learner, watch)
        return learner.drawn

    whole = numbers("whole")

    assert numbers("part", Witness(lambda step: step == 4)) + numbers("part") == whole
    assert len(set(whole) | set(numbers("other", seed=1))) == 2 * STEPS
