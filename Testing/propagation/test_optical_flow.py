"""Flow: labels go where the gray values went, and stay where nothing is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ContrastiveSegLib.propagation.optical_flow import moved_along
from Testing.propagation.drawings import dice, disk

SHAPE = (80, 90)


def photographed(labels: np.ndarray) -> np.ndarray:
    """Gray values of a disk (1) beside another (2), blurred as a scanner does."""
    noise = np.random.default_rng(0).normal(0, 3, SHAPE)
    shades = np.array([60.0, 200.0, 120.0])[labels]
    return np.clip(ndimage.gaussian_filter(shades, 1) + noise, 0, 255).astype(np.uint8)


def drawn(row: float, column: float, radius: float) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int32)
    labels[disk(SHAPE, (row, column), radius)] = 1
    labels[disk(SHAPE, (row, column + 22), 8)] = 2
    return labels


@pytest.mark.parametrize(
    ("row", "column", "radius"), [(46, 30, 12), (40, 36, 12), (40, 30, 8), (40, 30, 15), (36, 34, 10)]
)
def test_labels_go_where_the_gray_values_went(row: float, column: float, radius: float) -> None:
    before, now = drawn(40, 30, 12), drawn(row, column, radius)

    moved = moved_along(before, photographed(before), photographed(now), pixel_mm=1.0)

    for value in (1, 2):
        assert dice(moved == value, now == value) > 0.9
    assert dice(before == 1, now == 1) < 0.85


def test_the_same_slice_again_moves_nothing() -> None:
    before = drawn(40, 30, 12)
    image = photographed(before)

    assert np.array_equal(moved_along(before, image, image, pixel_mm=1.0), before)


def test_nothing_moves_where_nothing_is_followed() -> None:
    image = photographed(drawn(40, 30, 12))
    nothing = np.zeros(SHAPE, np.int32)

    assert not moved_along(nothing, image, image, pixel_mm=1.0).any()


def test_labels_of_which_one_would_be_lost_stay_where_they_were() -> None:
    before = drawn(40, 30, 12)
    before[40, 30] = 3
    image, now = photographed(drawn(40, 30, 12)), photographed(drawn(40, 30, 1))

    assert np.array_equal(moved_along(before, image, now, pixel_mm=1.0), before)


@pytest.mark.parametrize("shape", [(1, 40), (2, 700), (1, 1)])
def test_a_slice_that_is_a_line_moves_nothing(shape: tuple[int, int]) -> None:
    labels = np.ones(shape, np.int32)
    before, now = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)

    np.testing.assert_array_equal(moved_along(labels, before, now, pixel_mm=1.0), labels)


def test_large_slices_are_moved_as_far_as_small_ones() -> None:
    before, now = (np.kron(drawn(40, column, 12), np.ones((5, 5), np.int32)) for column in (30, 36))
    images = [np.kron(photographed(each[::5, ::5]), np.ones((5, 5), np.uint8)) for each in (before, now)]

    moved = moved_along(before, *images, pixel_mm=0.2)

    assert dice(moved == 1, now == 1) > 0.9
    assert dice(before == 1, now == 1) < 0.75
