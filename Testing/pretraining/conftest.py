"""What the tests of several methods need: simple views, four images, and the contrastive loss as loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.training.batches import Batch

SLICE_POSITIONS = (0.10, 0.15, 0.50, 0.90)


@pytest.fixture
def some_images():
    """Four images of one channel."""
    return torch.rand(4, 1, 32, 32, generator=Generator().manual_seed(0))


@pytest.fixture
def a_batch(some_images):
    """Four images at different slice positions of four cases."""
    return Batch(some_images, slice_positions=torch.tensor(SLICE_POSITIONS), cases=torch.arange(4))


@pytest.fixture
def with_simple_views(monkeypatch):
    """Makes the views of a method's file predictable: with_simple_views(file).

    Two views are the image and the image upside down, a random view is the image with left and right
    exchanged, moved images are turned by a half, recolored ones are half as bright.
    """
    simple = {
        "two_random_views": lambda images, _: torch.cat([images, images.flip(-2)]),
        "random_view": lambda images, _: images.flip(-1),
        "spatial_augmentation": lambda images, _: images.flip(-1, -2),
        "intensity_augmentation": lambda images, _: images * 0.5,
    }

    def replace(file):
        for name in set(simple) & set(vars(file)):
            monkeypatch.setattr(file, name, simple[name])
        return file

    return replace


@pytest.fixture
def slow_contrast():
    """The contrastive loss of docs/methods/index.md for a list of rows, anchor by anchor."""

    def loss(rows, is_positive, *, temperature):
        unit = [row.detach().double() / row.detach().double().norm() for row in rows]
        per_anchor = []
        for a, anchor in enumerate(unit):
            similar = {b: (anchor @ row).item() / temperature for b, row in enumerate(unit) if b != a}
            denominator = math.log(sum(map(math.exp, similar.values())))
            partners = [b for b in similar if is_positive(a, b)]
            per_anchor.append(sum(denominator - similar[b] for b in partners) / len(partners))
        return temperature / 0.07 * sum(per_anchor) / len(per_anchor)

    return loss


@pytest.fixture
def cosine():
    """The cosine of two vectors, in float64."""
    return lambda a, b: (a.double() @ b.double() / a.double().norm() / b.double().norm()).item()
