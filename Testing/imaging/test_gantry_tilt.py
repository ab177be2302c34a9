"""Slices that are stacked askew are moved to where they were taken."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.imaging.gantry_tilt import in_slices, is_tilted, straight_grid, straightened
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from Testing.orientations import OBLIQUE

GRID = Geometry((9, 8, 6), (0.9, 1.2, 3.0), (5.0, -7.0, 30.0), OBLIQUE)


def _places(column: float, row: float, thickness: float = 1.0) -> np.ndarray:
    k = np.arange(GRID.size[2])[:, None]
    return k * np.array([column, row, thickness])


def _taken_at(places: np.ndarray) -> np.ndarray:
    """(K, H, W, 3) where each pixel was really taken, in mm."""
    k, h, w = GRID.shape
    pixels = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1)
    index = [np.concatenate([pixels + p[:2], np.full((h, w, 1), p[2])], axis=-1) for p in places]
    return GRID.index_to_physical(np.array(index).reshape(k, h, w, 3))


@pytest.mark.parametrize(("column", "row"), [(0.0, 0.7), (-0.4, 1.3), (0.0, -2.0)])
def test_gray_values_lie_where_they_were_taken(column, row):
    places = _places(column, row, 0.94)
    slopes = np.array([0.3, -0.8, 0.5])
    image = Volume((_taken_at(places) @ slopes)[None].astype(np.float32), GRID)

    straight = straightened(image, places)

    grid = straight.geometry
    index = np.moveaxis(np.indices(grid.shape), 0, -1)[..., ::-1]
    expected = grid.index_to_physical(index) @ slopes
    shown = np.zeros(grid.shape, bool)
    for k, place in enumerate(places):
        away = GRID.physical_to_index(grid.index_to_physical(index[k]))[..., :2] - place[:2]
        shown[k] = ((away > -1e-6) & (away < np.array(GRID.size[:2]) - 1 + 1e-6)).all(-1)
    np.testing.assert_allclose(straight.array[0][shown], expected[shown], atol=1e-4)
    assert shown.sum() > 0.6 * GRID.shape[0] * 56
    assert grid.spacing[2] == pytest.approx(3.0 * 0.94)


def test_labels_keep_their_values_and_all_of_them():
    places = _places(0.0, 1.0)
    labels = np.random.default_rng(0).choice([0, 3, 70000], GRID.shape).astype(np.int32)

    straight = straightened(Volume(labels, GRID), places, labels=True)

    assert straight.geometry.size == (9, 13, 6)
    for k, drawn in enumerate(labels):
        np.testing.assert_array_equal(straight.array[k, k : k + 8], drawn)
    assert np.count_nonzero(straight.array) == np.count_nonzero(labels)


def test_what_no_slice_shows_is_the_smallest_value_of_the_image():
    image = np.full((1, *GRID.shape), 40.0, np.float32)
    image[0, 0, 0, 0] = -1024

    straight = straightened(Volume(image, GRID), _places(0.0, 1.0))

    assert set(np.unique(straight.array)) == {-1024.0, 40.0}


def test_whole_gray_values_stay_whole_as_those_of_ct():
    image = np.random.default_rng(0).integers(-1000, 1000, (1, *GRID.shape)).astype(np.float32)

    straight = straightened(Volume(image, GRID), _places(0.0, 0.3)).array

    np.testing.assert_array_equal(straight, np.rint(straight))
    assert straightened(Volume(image / 3, GRID), _places(0.0, 0.3)).array.flat[200] % 1


def test_a_straight_stack_stays_as_it_is():
    image = Volume(np.random.default_rng(0).random((1, *GRID.shape)).astype(np.float32), GRID)

    straight = straightened(image, _places(0.0, 0.0))

    np.testing.assert_array_equal(straight.array, image.array)
    assert straight.geometry.matches(GRID)
    assert not is_tilted(_places(0.0, 0.0))
    assert is_tilted(_places(0.0, 0.2))


def test_points_are_counted_in_the_pixels_of_their_slice():
    places = _places(-0.5, 2.0, 0.9)
    pixels = np.array([[2.0, 3.0, 0.0], [1.0, 6.5, 4.0], [0.0, 0.0, 2.5]])
    k = pixels[:, 2:]
    points = np.concatenate([pixels[:, :2] + k * [-0.5, 2.0], k * 0.9], axis=1)

    np.testing.assert_allclose(in_slices(points, places), pixels, atol=1e-9)


def test_the_grid_holds_all_slices():
    grid = straight_grid(GRID, _places(-0.5, 1.0))

    assert grid.size == (9 + 3, 8 + 5, 6)
    np.testing.assert_allclose(grid.origin, GRID.index_to_physical((-3, 0, 0)))
