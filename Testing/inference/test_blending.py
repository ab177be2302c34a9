"""Blocks are blended as MONAI blends them, without ever holding the whole volume."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor

from ContrastiveSegLib.inference.blending import block_by_block

CPU = torch.device("cpu")


def told_by_place(images: Tensor) -> Tensor:
    """Three answers that depend on where in its block a voxel lies, so that blending shows."""
    places = torch.linspace(0.5, 1.5, images[0, 0].numel()).reshape(images.shape[2:])
    return torch.cat([images[:, :1] * places**n for n in range(3)], 1)


@pytest.mark.parametrize(
    ("size", "patch"),
    [
        ((30, 40, 56), (8, 32, 32)),
        ((9, 20, 24), (8, 32, 16)),
        ((3, 33, 70), (8, 32, 32)),
        ((8, 32, 32), (8, 32, 32)),
        ((17, 48, 32), (1, 16, 16)),
    ],
)
def test_the_answer_is_that_of_monai(size, patch):
    images = np.random.default_rng(0).random((2, *size), np.float32)
    inferer = SlidingWindowInferer(patch, sw_batch_size=8, overlap=0.25, mode="gaussian")

    found = np.stack([*block_by_block(told_by_place, images, patch, CPU)], axis=1)

    expected = inferer(torch.from_numpy(images[None]), told_by_place)[0].half().numpy()
    np.testing.assert_array_equal(found, expected)


def test_of_the_sums_no_more_than_one_layer_of_blocks_is_held(monkeypatch):
    held = []
    zeros = torch.zeros

    def counted(*shape, **how):
        held.append(shape)
        return zeros(*shape, **how)

    monkeypatch.setattr(torch, "zeros", counted)

    slices = sum(1 for _ in block_by_block(told_by_place, np.ones((1, 80, 32, 32)), (8, 16, 16), CPU))

    assert slices == 80
    assert sorted(held) == [(3, 8, 32, 32), (8, 32, 32)]


def test_slices_leave_before_later_blocks_are_computed():
    asked = []

    def network(images: Tensor) -> Tensor:
        asked.append(len(images))
        return images

    slices = block_by_block(network, np.ones((1, 80, 16, 16)), (8, 16, 16), CPU)
    next(slices)

    assert asked == [1]
