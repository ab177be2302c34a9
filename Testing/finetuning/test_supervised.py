"""Supervised fine-tuning: Dice plus cross-entropy on patches whose labels move with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.finetuning.supervised import Settings, Strategy, disagreement
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training.batches import Batch

PATCH = (32, 32)


@pytest.fixture
def a_strategy(a_network) -> Strategy:
    return Strategy(a_network, PATCH, Settings())


class Still:
    """Augmentation that changes nothing."""

    def spatial_augmentation(self, batch: Batch, _: Generator) -> tuple[Tensor, Tensor]:
        return batch.images, batch.labels

    def intensity_augmentation(self, images: Tensor, _: Generator) -> Tensor:
        return images


class Cut(Still):
    """Augmentation that gives the middle of each image, unchanged."""

    def spatial_augmentation(self, batch: Batch, _: Generator) -> tuple[Tensor, Tensor]:
        return batch.images[..., 5:37, 5:37], batch.labels[..., 5:37, 5:37]


def slow_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Dice over the batch plus cross-entropy, of scores (B, 3, H, W) and labels (B, H, W)."""
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    truth = np.eye(3)[labels].transpose(0, 3, 1, 2)
    cross_entropy = -np.log((chances * truth).sum(1)).mean()
    dice = [
        2 * (chances[:, c] * truth[:, c]).sum() / (chances[:, c].sum() + truth[:, c].sum()) for c in (1, 2)
    ]
    return float(1 - np.mean(dice) + cross_entropy)


def test_the_loss_is_dice_over_the_batch_plus_cross_entropy(a_strategy, a_batch, monkeypatch):
    monkeypatch.setattr(a_strategy, "augmented", Cut())
    a_strategy.eval()

    terms = a_strategy.loss_terms(a_batch, Generator())

    images, labels = Cut().spatial_augmentation(a_batch, Generator())
    scores = a_strategy.network(images).detach().double().numpy()
    assert list(terms) == ["dice_ce"]
    assert terms["dice_ce"].item() == pytest.approx(slow_loss(scores, labels.numpy()), rel=1e-4)


def test_deep_supervision_halves_the_weight_with_every_coarser_map(make_network, a_batch, monkeypatch):
    strategy = Strategy(make_network("dynunet"), PATCH, Settings())
    monkeypatch.setattr(strategy, "augmented", Cut())

    taught = strategy.loss_terms(a_batch, Generator())["dice_ce"].item()

    images, labels = Cut().spatial_augmentation(a_batch, Generator())
    maps = [scores.detach().double().numpy() for scores in strategy.network.training_scores(images)]
    truth = labels.numpy()
    # Of two positions the second lies as near as the first, of four the third as near as the second.
    truths = [truth, truth[:, 1::2, 1::2], truth[:, 2::4, 2::4]]
    fine, coarse, coarsest = (slow_loss(s, t) for s, t in zip(maps, truths, strict=True))
    assert taught == pytest.approx(4 / 7 * fine + 2 / 7 * coarse + 1 / 7 * coarsest, rel=1e-4)


def test_coarse_labels_of_blocks_are_taken_along_every_shrunken_axis(make_network, monkeypatch):
    strategy = Strategy(
        make_network("dynunet", spatial_dims=3, pools=((1, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))),
        (4, *PATCH),
        Settings(),
    )
    labels = torch.randint(0, 3, (2, 4, *PATCH), generator=Generator().manual_seed(0))
    monkeypatch.setattr(strategy, "augmented", Still())
    seen = []
    monkeypatch.setattr(
        "ContrastiveSegLib.finetuning._losses.dice_ce",
        lambda scores, truth: seen.append(truth) or scores.mean(),
    )

    strategy.loss_terms(Batch(labels[:, None].float(), torch.ones(2), torch.arange(2), labels), Generator())

    expected = [labels, labels[:, :, 1::2, 1::2], labels[:, 1::2, 2::4, 2::4]]
    assert all(torch.equal(s, e) for s, e in zip(seen, expected, strict=True))


def test_a_patch_without_any_structure_gives_a_finite_loss(a_strategy, a_batch):
    batch = Batch(a_batch.images, a_batch.slice_positions, a_batch.cases, torch.zeros_like(a_batch.labels))

    loss = a_strategy.loss_terms(batch, Generator().manual_seed(0))["dice_ce"]

    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in a_strategy.parameters())


def test_consistency_is_the_squared_difference_where_nothing_is_annotated():
    scores, others = torch.randn(2, 2, 3, 4, 5, generator=Generator().manual_seed(0))
    where = torch.zeros(2, 4, 5, dtype=torch.bool)
    where[0, 1, 2] = where[1, 3, 4] = True

    by_hand = [
        ((scores.softmax(1) - others.softmax(1))[b, :, h, w] ** 2).mean()
        for b, h, w in ((0, 1, 2), (1, 3, 4))
    ]
    assert disagreement(scores, others, where).item() == pytest.approx(torch.stack(by_hand).mean().item())
    assert disagreement(scores, others, torch.zeros_like(where)).item() == 0


def test_consistency_rises_and_teaches_only_the_unknown_voxels(make_network, a_batch):
    strategy = Strategy(make_network(), PATCH, Settings(consistency=1.0))
    known = strategy.loss_terms(a_batch, Generator().manual_seed(0))
    unknown = replace(a_batch, labels=torch.full_like(a_batch.labels, IGNORE_LABEL))

    early, late = [], []
    for progress, kept in ((0.0, early), (1.0, late)):
        strategy.progress = progress
        kept.append(strategy.loss_terms(unknown, Generator().manual_seed(0))["consistency"].item())

    assert strategy.draws_unknown
    assert not Strategy(make_network(), PATCH, Settings()).draws_unknown
    assert known["consistency"].item() < late[0]
    assert 0 < early[0] == pytest.approx(late[0] * np.exp(-5), rel=1e-3)


def test_a_few_steps_learn_the_structures(a_strategy, a_batch):
    optimizer = torch.optim.AdamW(a_strategy.parameters(), lr=1e-2)

    losses = []
    for step in range(25):
        loss = a_strategy.loss_terms(a_batch, Generator().manual_seed(step))["dice_ce"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])
