"""Losses that look only at annotated voxels."""

from __future__ import annotations

import pytest
import torch
from monai.losses import DiceCELoss
from torch import Generator, Tensor

from ContrastiveSegLib.finetuning._losses import dice_ce, partial_cross_entropy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL


@pytest.fixture
def some_scores() -> Tensor:
    return torch.randn(2, 3, 6, 8, generator=Generator().manual_seed(0)).requires_grad_()


@pytest.fixture
def some_labels() -> Tensor:
    return torch.randint(0, 3, (2, 6, 8), generator=Generator().manual_seed(1))


def test_fully_known_labels_give_the_loss_of_monai(some_scores, some_labels):
    monai = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    assert dice_ce(some_scores, some_labels).item() == pytest.approx(
        monai(some_scores, some_labels[:, None]).item(), rel=1e-6
    )


def test_unknown_rows_are_as_if_they_were_cut_away(some_scores, some_labels):
    partly = some_labels.clone()
    partly[:, 2:] = IGNORE_LABEL

    for loss in (dice_ce, partial_cross_entropy):
        expected = loss(some_scores[:, :, :2], some_labels[:, :2])
        assert loss(some_scores, partly).item() == pytest.approx(expected.item(), rel=1e-6)


def test_scores_of_unknown_positions_get_no_gradient(some_scores, some_labels):
    some_labels[0, 3, 4] = IGNORE_LABEL

    dice_ce(some_scores, some_labels).backward()

    assert (some_scores.grad[0, :, 3, 4] == 0).all()
    assert (some_scores.grad[0, :, 3, 5] != 0).all()


def test_cross_entropy_is_the_mean_over_known_positions(some_scores, some_labels):
    some_labels[:, 1:] = IGNORE_LABEL

    loss = partial_cross_entropy(some_scores, some_labels)

    chances = some_scores.softmax(1)
    by_hand = [-chances[b, some_labels[b, 0, w], 0, w].log() for b in range(2) for w in range(8)]
    assert loss.item() == pytest.approx(torch.stack(by_hand).mean().item(), rel=1e-6)


def test_nothing_known_is_no_loss_and_no_gradient(some_scores, some_labels):
    loss = partial_cross_entropy(some_scores, torch.full_like(some_labels, IGNORE_LABEL))

    loss.backward()

    assert loss.item() == 0
    assert (some_scores.grad == 0).all()
    assert dice_ce(some_scores, torch.full_like(some_labels, IGNORE_LABEL)).isfinite()
