"""DMPLS: scribbles for both decoders, and labels that both make together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Generator
from torch.nn import functional as F

from ContrastiveSegLib.finetuning.dmpls import Settings, Strategy, dropped, mixed_labels
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training.batches import Batch

PATCH = (32, 32)


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture
def scribbles(a_batch):
    """The batch with two lines painted."""
    painted = torch.full_like(a_batch.labels, IGNORE_LABEL)
    painted[:, 14:17, 4:25] = a_batch.labels[:, 14:17, 4:25]
    return replace(a_batch, labels=painted)


def slow_dice(scores, labels):
    """One minus Dice over the batch, mean over classes, background included."""
    chances = scores.softmax(1)
    each = []
    for c in range(scores.shape[1]):
        truth = labels == c
        each.append(2 * chances[:, c][truth].sum() / (chances[:, c].sum() + truth.sum()))
    return 1 - torch.stack(each).mean()


def test_the_terms_are_those_of_the_formula(a_network, scribbles):
    strategy = Strategy(a_network, PATCH, Settings())
    images, labels = scribbles.images[..., 5:37, 5:37], scribbles.labels[..., 5:37, 5:37]
    strategy.augmented = lambda *_: (images, labels)

    terms = strategy.eval().loss_terms(scribbles, generator())

    random = generator()
    features = a_network.encode(images)
    hidden = [dropped(level, 0.5, random) for level in features]
    first, second = a_network(images), strategy.second(hidden)
    weight = torch.rand((), generator=random)
    pseudo = (weight * first.softmax(1) + (1 - weight) * second.softmax(1)).argmax(1)
    known = 0.5 * sum(
        F.cross_entropy(scores, labels, ignore_index=IGNORE_LABEL) for scores in (first, second)
    )
    dice = 0.5 * (slow_dice(first, pseudo) + slow_dice(second, pseudo))
    assert terms["scribbles"].item() == pytest.approx(known.item(), rel=1e-5)
    assert terms["pseudo_labels"].item() == pytest.approx(0.5 * dice.item(), rel=1e-4)


def test_dropout_keeps_the_mean_and_draws_from_the_generator():
    features = torch.ones(4, 8, 16, 16)

    hidden = dropped(features, 0.5, generator(1))

    assert set(hidden.unique().tolist()) == {0.0, 2.0}
    assert hidden.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(hidden, dropped(features, 0.5, generator(1)))
    assert not torch.equal(hidden, dropped(features, 0.5, generator(2)))


def test_mixed_labels_follow_a_random_weight_and_carry_no_gradient():
    first = torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).requires_grad_()
    second = torch.tensor([0.0, 2.0]).view(1, 2, 1, 1).requires_grad_()

    found = [mixed_labels(first, second, generator(seed)) for seed in range(100)]

    assert not any(labels.requires_grad for labels in found)
    assert 30 < sum(labels.item() for labels in found) < 70


def test_gradients_reach_the_encoder_and_both_decoders_in_blocks(make_network):
    network = make_network(spatial_dims=3)
    strategy = Strategy(network, (16, 16, 16), Settings())
    labels = torch.full((2, 16, 21, 21), IGNORE_LABEL)
    labels[:, 8, 8:12] = 1
    batch = Batch(torch.rand(2, 1, 16, 21, 21), torch.ones(2), torch.arange(2), labels)

    torch.stack(list(strategy.loss_terms(batch, generator()).values())).sum().backward()

    for part in (network.encoder, network.decoder, network.head, strategy.second):
        assert any(p.grad.any() for p in part.parameters())
