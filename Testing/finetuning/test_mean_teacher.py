"""Mean teacher: what it says, where it is sure, and how boxes of scans and annotated patches are mixed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.finetuning import supervised
from ContrastiveSegLib.finetuning.mean_teacher import Settings, Strategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training.batches import Batch

PATCH = (32, 32)


@pytest.fixture
def a_halved_batch(a_batch) -> Batch:
    labels = a_batch.labels.clone()
    labels[2:] = IGNORE_LABEL
    return replace(a_batch, labels=labels, unannotated=torch.tensor([False, False, True, True]))


def strategy(make_network, **settings) -> Strategy:
    learner = Strategy(make_network(), PATCH, Settings(**settings))
    learner.progress = 1.0
    return learner


def terms_of(learner, batch) -> dict[str, Tensor]:
    return learner.loss_terms(batch, Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("settings", "terms"),
    [
        ({"mix": "none"}, {"dice_ce", "strong_views"}),
        ({"mix": "cutmix"}, {"dice_ce", "strong_views"}),
        ({"mix": "bcp"}, {"dice_ce", "pasted"}),
        ({"unimatch": True}, {"dice_ce", "strong_views", "features"}),
    ],
)
def test_every_way_of_mixing_teaches_the_network_and_never_the_teacher(
    make_network, a_halved_batch, settings, terms
):
    learner = strategy(make_network, **settings)

    found = terms_of(learner, a_halved_batch)
    torch.stack(list(found.values())).sum().backward()

    assert set(found) == terms
    assert all(term.isfinite() for term in found.values())
    assert all(p.grad is not None for p in learner.network.parameters())
    assert all(p.grad is None for p in learner.teacher.parameters())


def test_blocks_are_mixed_in_plane(make_network):
    network = make_network("unet", spatial_dims=3, pools=((1, 2, 2),) * 4)
    labels = torch.zeros(4, 4, 42, 42, dtype=torch.long)
    labels[:, :, 10:20, 10:20] = 1
    labels[2:] = IGNORE_LABEL
    batch = Batch(
        torch.rand(4, 1, 4, 42, 42),
        torch.ones(4),
        torch.arange(4),
        labels,
        unannotated=torch.tensor([False, False, True, True]),
    )

    for mix in ("cutmix", "bcp"):
        learner = Strategy(network, (4, *PATCH), Settings(mix=mix))
        assert all(term.isfinite() for term in terms_of(learner, batch).values())


def test_without_scans_it_is_supervised(make_network, a_batch):
    plain = supervised.Strategy(make_network(), PATCH, supervised.Settings())

    assert terms_of(strategy(make_network), a_batch)["dice_ce"] == terms_of(plain, a_batch)["dice_ce"]


def test_the_teacher_is_the_average_of_the_network(make_network, a_halved_batch):
    learner = strategy(make_network, decay=0.9)
    first = next(learner.network.parameters()).detach().clone()
    terms_of(learner, a_halved_batch)
    with torch.no_grad():
        next(learner.network.parameters()).add_(1.0)
    terms_of(learner, a_halved_batch)  # step 1: 1 - 1 / (1 + 1), as docs/strategies/mean_teacher.md counts

    assert torch.allclose(next(learner.teacher.parameters()), first + 0.5)
    for _ in range(50):
        terms_of(learner, a_halved_batch)
    assert torch.allclose(next(learner.teacher.parameters()), first + 1, atol=0.02)


def test_each_structure_has_the_threshold_of_its_usual_confidence(make_network, monkeypatch):
    learner = strategy(make_network)
    scores = torch.zeros(1, 3, 1, 6)
    for column, (index, height) in enumerate([(0, 9), (0, 1), (1, 2), (1, 4), (2, 1), (2, 3)]):
        scores[0, index, 0, column] = height
    monkeypatch.setattr(learner.teacher, "forward", lambda _: scores)
    learner.steps.fill_(1)  # nothing is remembered yet

    said = learner._guess(torch.zeros(1, 1, 1, 6))

    sure = scores.softmax(1).amax(1)[0, 0]
    limits = [sure[2:4].mean(), sure[4:6].mean()]
    assert learner.confidence[1:].tolist() == pytest.approx([float(n) for n in limits])
    background = [0 if sure[n] >= sum(limits) / 2 else IGNORE_LABEL for n in (0, 1)]
    assert said.flatten().tolist() == [*background, IGNORE_LABEL, 1, IGNORE_LABEL, 2]


def test_what_the_teacher_says_counts_more_and_more(make_network, a_halved_batch):
    weights = []
    for progress in (0.4, 0.55, 1.0):
        learner = strategy(make_network, mix="none", first_steps=0.4)
        learner.progress = progress
        weights.append(terms_of(learner, a_halved_batch)["strong_views"].item())

    assert weights[0] < 0.01 * weights[2]
    assert weights[1] == weights[2]


def test_copies_go_both_ways_and_each_label_stays_with_its_pixels(make_network, monkeypatch):
    learner = strategy(make_network, mix="bcp")
    seen: list[Tensor] = []
    monkeypatch.setattr(
        learner.network, "training_scores", lambda x: seen.append(x) or [x.repeat(1, 3, 1, 1)]
    )
    monkeypatch.setattr(
        "ContrastiveSegLib.finetuning.mean_teacher.augment_intensities", lambda images, *_: images
    )
    taught: list[Tensor] = []
    for loss in ("dice_ce", "dice_ce_at_every_level"):
        monkeypatch.setattr(
            f"ContrastiveSegLib.finetuning.mean_teacher.{loss}",
            lambda _, labels: taught.append(labels) or torch.zeros(()),
        )
    images, scans = torch.full((2, 1, 30, 30), 1.0), torch.full((2, 1, 30, 30), 2.0)
    known, guessed = torch.full((2, 30, 30), 1), torch.full((2, 30, 30), 2)

    learner._copied_both_ways((images, known), (scans, guessed), 1.0, Generator().manual_seed(0))

    drawn, said = taught
    mixed = seen[0][:, 0]
    assert torch.equal(drawn == 1, mixed == 1)
    assert torch.equal(said == 2, mixed == 2)
    assert (mixed[:2] == 1).float().mean() == pytest.approx(4 / 9)
    assert (mixed[2:] == 2).float().mean() == pytest.approx(4 / 9)
