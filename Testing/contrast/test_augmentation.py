"""A view moves the pixels of a slice together with its labels, and never its slices."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast import augmentation
from ContrastiveSegLib.contrast.augmentation import (
    IntensityAugmentation,
    SpatialAugmentation,
    augment_intensities,
    random_grid,
    two_random_views,
    warp,
)

STILL = SpatialAugmentation(rotation=0, scale=0, shift=0, flip=False, elastic=0)
FLOAT = 1e-4  # a position of grid_sample is exact to about a hundred thousandth of a pixel
QUARTER_TURN = SpatialAugmentation(
    rotation=math.pi, scale=0, shift=0, flip=False, elastic=0
)  # when half of it is drawn


def spatial_augmentation(
    images: Tensor, how: SpatialAugmentation, generator: Generator, *, size: tuple[int, ...] | None = None
) -> Tensor:
    return warp(images, random_grid(images, how, generator, size=size))


def assert_equal(one: Tensor | np.ndarray, other: Tensor | np.ndarray) -> None:
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=FLOAT)


@pytest.mark.parametrize("shape", [(2, 1, 24, 40), (2, 3, 5, 24, 40)], ids=["2D", "3D"])
def test_no_movement_returns_the_image(shape, a_generator, images_of):
    images = images_of(*shape)

    assert_equal(spatial_augmentation(images, STILL, a_generator), images)


@pytest.mark.parametrize("shape", [(2, 1, 24, 24), (2, 2, 5, 24, 24)], ids=["2D", "3D"])
def test_a_quarter_turn_equals_rot90_of_each_slice(shape, draw_always, a_generator, images_of):
    draw_always(0.75)
    images = images_of(*shape)

    turned = spatial_augmentation(images, QUARTER_TURN, a_generator)

    assert_equal(turned, np.rot90(images, axes=(-2, -1)).copy())


def test_a_turn_in_a_patch_that_is_not_square_keeps_shapes(draw_always, a_generator, images_of):
    draw_always(0.75)
    images = images_of(1, 1, 24, 40)

    turned = spatial_augmentation(images, QUARTER_TURN, a_generator)

    assert_equal(turned[..., 8:32], np.rot90(images[..., 8:32], axes=(-2, -1)).copy())
    assert_equal(turned[..., :8], torch.zeros(1, 1, 24, 8))
    assert_equal(turned[..., 32:], torch.zeros(1, 1, 24, 8))


def test_a_larger_source_gives_pixels_to_the_corners(draw_always, a_generator, images_of):
    draw_always(0.75)
    images = images_of(1, 1, 40, 48)

    turned = spatial_augmentation(images, QUARTER_TURN, a_generator, size=(24, 32))

    expected = np.rot90(
        images[..., 4:36, 12:36], axes=(-2, -1)
    ).copy()  # 32 rows and 24 columns of the source
    assert_equal(turned, expected)


def test_a_larger_source_is_cut_in_the_middle(a_generator, images_of):
    images = images_of(1, 2, 5, 40, 48)

    assert_equal(spatial_augmentation(images, STILL, a_generator, size=(5, 24, 32)), images[..., 8:32, 8:40])


def test_scaling_is_about_the_center_and_alike_in_both_axes(draw_always, a_generator):
    draw_always(0.75)
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(40.0), indexing="ij")
    images = torch.stack([rows, columns])[None]

    zoomed = spatial_augmentation(
        images, SpatialAugmentation(rotation=0, scale=-1, shift=0, flip=False, elastic=0), a_generator
    )

    expected = torch.stack([11.5 + 0.5 * (rows - 11.5), 19.5 + 0.5 * (columns - 19.5)])[None]
    assert_equal(zoomed, expected)


def test_a_shift_is_a_part_of_the_patch_whatever_the_size_of_the_source(draw_always, a_generator, images_of):
    draw_always(0.75)
    images = images_of(1, 1, 48, 64)
    how = SpatialAugmentation(rotation=0, scale=0, shift=0.5, flip=False, elastic=0)

    shifted = spatial_augmentation(images, how, a_generator, size=(24, 32))

    assert_equal(shifted, images[..., 12 + 6 : 36 + 6, 16 + 8 : 48 + 8])


def test_beyond_the_border_there_is_nothing(draw_always, a_generator):
    draw_always(0.75)
    images = torch.ones(1, 1, 24, 32)

    shifted = spatial_augmentation(
        images, SpatialAugmentation(rotation=0, scale=0, shift=0.5, flip=False, elastic=0), a_generator
    )

    expected = torch.zeros(1, 1, 24, 32)
    expected[..., :18, :24] = 1
    assert_equal(shifted, expected)


def test_images_are_mirrored_in_all_four_ways(a_generator, images_of):
    images = images_of(1, 1, 16, 24).expand(40, -1, -1, -1)

    mirrored = spatial_augmentation(
        images, SpatialAugmentation(rotation=0, scale=0, shift=0, elastic=0), a_generator
    )

    ways = [images[0].flip(axes) for n in range(3) for axes in itertools.combinations((-2, -1), n)]
    found = [next(w for w, way in enumerate(ways) if torch.allclose(way, m, atol=FLOAT)) for m in mirrored]
    assert {0, 1, 2, 3} == set(found)


def test_mirroring_is_all_that_happens_at_probability_zero(a_generator, images_of):
    images = images_of(1, 1, 16, 24).expand(20, -1, -1, -1)

    mirrored = spatial_augmentation(images, SpatialAugmentation(probability=0), a_generator)

    ways = [images[0].flip(axes) for n in range(3) for axes in itertools.combinations((-2, -1), n)]
    assert all(any(torch.allclose(way, m, atol=FLOAT) for way in ways) for m in mirrored)


def test_two_of_three_images_are_moved(a_generator, images_of):
    images = images_of(1, 1, 16, 16).expand(600, -1, -1, -1)
    how = SpatialAugmentation(rotation=0, scale=0, shift=0.1, flip=False, elastic=0, probability=0.67)

    same = (spatial_augmentation(images, how, a_generator) - images).abs().amax(dim=(1, 2, 3)) < FLOAT

    assert 0.60 < 1 - same.float().mean().item() < 0.74


def test_all_channels_move_alike(a_generator, images_of):
    images = images_of(3, 1, 24, 40).expand(-1, 4, -1, -1)

    channels = spatial_augmentation(images, SpatialAugmentation(), a_generator)

    assert all(torch.equal(channels[:, c], channels[:, 0]) for c in range(4))


def test_labels_move_with_their_image(a_generator):
    labels = torch.zeros(8, 1, 32, 48)
    labels[:, :, 8:20, 10:30] = 3

    grid = random_grid(labels, SpatialAugmentation(), a_generator)

    smooth, nearest = warp(labels, grid), warp(labels, grid, mode="nearest")
    assert set(nearest.unique().tolist()) == {0, 3}
    inside = smooth > 1.6  # more than half of the four neighbors; nearest may differ only at the very border
    assert ((nearest > 0) == inside).float().mean() > 0.98
    assert nearest[smooth == 3].eq(3).all()


def test_slices_stay_where_they_are(a_generator):
    images = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(2, 1, 6, 32, 32)

    how = SpatialAugmentation(
        scale=-0.3, shift=0, elastic=0.03
    )  # zooms in or out, so that the center stays inside
    turned = spatial_augmentation(images, how, a_generator)

    assert_equal(turned[..., 12:20, 12:20], images[..., 12:20, 12:20])


def test_bending_is_random_smooth_and_as_strong_as_asked(a_generator):
    images = torch.zeros(400, 1, 40, 80)
    still = random_grid(images, STILL, a_generator)

    bent = random_grid(
        images, SpatialAugmentation(rotation=0, scale=0, shift=0, flip=False, elastic=0.05), a_generator
    )

    displacement = (bent - still) / 2  # the unit square is two wide: now parts of the patch
    at_a_knot = displacement[:, 3, 6]  # the knots of a patch of 40 lie at 2.83 + 6.67 n
    assert at_a_knot.std(0).numpy() == pytest.approx([0.05, 0.05], rel=0.15)
    assert abs(displacement.mean().item()) < 0.002
    assert displacement.diff(dim=1).std() < 0.3 * displacement.std()


def test_the_same_generator_draws_the_same_movement(images_of):
    images = images_of(4, 1, 16, 16)

    first, again, other = (
        random_grid(images, SpatialAugmentation(), Generator().manual_seed(s)) for s in (1, 1, 2)
    )

    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first[0], first[1])


@pytest.mark.parametrize(
    ("draw", "how"),
    [(random_grid, SpatialAugmentation()), (augment_intensities, IntensityAugmentation(noise=0))],
)
def test_mixed_precision_does_not_reach_positions_and_gray_values(draw, how, images_of):
    images = images_of(4, 2, 48, 64)
    expected = draw.__wrapped__(images, how, Generator().manual_seed(1))

    with torch.autocast("cpu", torch.bfloat16):
        inside = draw(images, how, Generator().manual_seed(1))

    assert torch.equal(inside, expected)


@pytest.mark.parametrize("shape", [(3, 2, 16, 20), (3, 2, 4, 16, 20)], ids=["2D", "3D"])
def test_two_views_are_drawn_independently_first_views_first(shape, a_generator, monkeypatch):
    monkeypatch.setattr(augmentation, "PRETRAINING_TRANSFORM", STILL)
    monkeypatch.setattr(augmentation, "PRETRAINING_APPEARANCE", IntensityAugmentation(noise=0))
    unchanged = IntensityAugmentation(brightness=0, contrast=0, gamma=0, noise=0, blur=0)
    images = torch.ones(shape) * torch.tensor([0.2, 0.5, 0.8]).view(-1, *(1,) * (len(shape) - 1))

    both = two_random_views(images, a_generator)

    assert both.shape == (6, *shape[1:])
    assert not both.requires_grad
    gray = both.flatten(1).mean(1)
    assert (gray[:3] != gray[3:]).all()
    monkeypatch.setattr(augmentation, "PRETRAINING_APPEARANCE", unchanged)
    quiet = two_random_views(images, a_generator)
    assert_equal(quiet, torch.cat([images, images]))
