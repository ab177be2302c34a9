"""Partial cross-entropy: painted voxels alone, in 2D and 3D."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.finetuning.partial_ce import Settings, Strategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training.batches import Batch

PATCH = (32, 32)


@pytest.fixture
def scribbles(a_batch):
    """The batch with a line painted in each structure and one in the background."""
    painted = torch.full_like(a_batch.labels, IGNORE_LABEL)
    for rows in (slice(2, 4), slice(14, 17), slice(32, 34)):
        painted[:, rows, 9:25] = a_batch.labels[:, rows, 9:25]
    return replace(a_batch, labels=painted)


def middle(batch, _):
    """The middle of each image, unchanged."""
    return batch.images[..., 5:37, 5:37], batch.labels[..., 5:37, 5:37]


def test_the_loss_is_the_mean_over_painted_pixels(a_network, scribbles):
    strategy = Strategy(a_network, PATCH, Settings())
    strategy.augmented = middle
    strategy.eval()

    terms = strategy.loss_terms(scribbles, Generator())

    images, labels = middle(scribbles, None)
    scores = a_network(images).double()
    slow = [
        -scores[b, :, y, x].log_softmax(0)[labels[b, y, x]].item()
        for b, y, x in (labels != IGNORE_LABEL).nonzero().tolist()
    ]
    assert list(terms) == ["scribbles"]
    assert terms["scribbles"].item() == pytest.approx(sum(slow) / len(slow), rel=1e-5)


def test_what_lies_beyond_the_image_is_unknown(a_network, scribbles):
    strategy = Strategy(a_network, PATCH, Settings(rotation=180))
    small = replace(
        scribbles, images=scribbles.images[..., :24, :24], labels=scribbles.labels[..., :24, :24] * 0
    )

    _, labels = strategy.augmented(small, Generator().manual_seed(0))

    assert set(labels.unique().tolist()) == {IGNORE_LABEL, 0}


def test_blocks_are_learned_too(make_network):
    network = make_network(spatial_dims=3)
    strategy = Strategy(network, (16, 16, 16), Settings())
    labels = torch.full((2, 16, 21, 21), IGNORE_LABEL)
    labels[:, 8, 8:12] = 1
    batch = Batch(torch.rand(2, 1, 16, 21, 21), torch.ones(2), torch.arange(2), labels)

    strategy.loss_terms(batch, Generator().manual_seed(0))["scribbles"].backward()

    assert network.encoder.blocks[0][0].weight.grad.any()
