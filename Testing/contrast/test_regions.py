"""Regions on the grid of features: golden values of the formulas, and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Generator

from ContrastiveSegLib.contrast.losses import contrastive_loss
from ContrastiveSegLib.contrast.regions import (
    average_structure,
    chosen_pixels,
    on_feature_grid,
    pick_pixels,
    resized,
    same_region,
    superpixels_of,
)

QUARTERS = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]])


def test_golden_loss_within_one_image():
    p, v, c = torch.meshgrid(torch.arange(16.0), torch.arange(2.0), torch.arange(8.0), indexing="ij")
    rows = torch.sin(0.9 * p + 0.5 * v + 0.3 * c).transpose(0, 1).reshape(1, 32, 8)

    loss = contrastive_loss(rows, same_region(QUARTERS.flatten().repeat(2)[None]))

    assert loss.item() == pytest.approx(17.414475, abs=1e-5)


@pytest.mark.parametrize(
    ("divisor", "expected"), [("image", [0.625, 1.125, 2.625, 3.125]), ("region", [2.5, 4.5, 10.5, 12.5])]
)
def test_golden_average_structure(divisor, expected):
    features = torch.arange(16.0).view(1, 1, 4, 4)

    values = average_structure(features, QUARTERS[None], divisor=divisor)

    assert values.view(4, 4)[[0, 0, 3, 3], [0, 3, 0, 3]].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("divisor", ["image", "region"])
@pytest.mark.parametrize("size", [(5, 6), (3, 4, 5)], ids=["2D", "3D"])
def test_average_structure_equals_a_slow_loop(size, divisor):
    generator = Generator().manual_seed(0)
    features = torch.randn(2, 7, *size, generator=generator)
    regions = torch.randint(1, 6, (2, *size), generator=generator)

    values = average_structure(features, regions, divisor=divisor)

    for image, where, found in zip(features, regions.flatten(1), values, strict=True):
        mean = image.mean(0).flatten()
        for n, region in enumerate(where):
            inside = mean[where == region]
            expected = inside.sum() / (len(inside) if divisor == "region" else len(mean))
            assert found[n].item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize(("size", "grid"), [((32, 48), (2, 3)), ((30, 40), (3, 4)), ((8, 32, 32), (4, 2, 2))])
def test_a_feature_has_the_region_of_the_first_pixel_of_its_cell(size, grid):
    regions = torch.arange(int(np.prod(size))).view(1, *size)

    small = on_feature_grid(regions, grid)

    for place in np.ndindex(*grid):
        corner = [p * n // g for p, n, g in zip(place, size, grid, strict=True)]
        assert small[(0, *place)] == regions[(0, *corner)]


def test_pixels_are_drawn_without_repetition_and_by_the_seed():
    first, again, other = (
        chosen_pixels(64, 3, Generator().manual_seed(seed), how="random", count=20) for seed in (0, 0, 1)
    )

    assert first.shape == (3, 20)
    assert all(len(set(row.tolist())) == 20 for row in first)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_all_pixels_are_taken_if_asked_or_if_there_are_no_more():
    generator = Generator()

    assert chosen_pixels(64, 2, generator, how="all", count=5).tolist() == [list(range(64))] * 2
    assert chosen_pixels(64, 1, generator, how="random", count=100).tolist() == [list(range(64))]


def test_picked_pixels_are_rows_of_features():
    features = torch.randn(2, 5, 3, 4)
    index = torch.tensor([[0, 5], [11, 2]])

    picked = pick_pixels(features, index)

    assert torch.equal(picked[0, 1], features[0, :, 1, 1])
    assert torch.equal(picked[1, 0], features[1, :, 2, 3])


def test_resizing_keeps_the_corners():
    features = torch.randn(1, 2, 8, 8)

    small = resized(features, (2, 2))

    assert torch.allclose(small, features[:, :, ::7, ::7])


def test_superpixels_follow_the_image():
    images = torch.zeros(2, 1, 40, 40)
    images[:, :, 10:30, 10:30] = 1

    regions = superpixels_of(images)

    assert regions.shape == (2, 40, 40)
    inside = images[0, 0] > 0
    assert not set(regions[0][inside].tolist()) & set(regions[0][~inside].tolist())
