"""The slice that is named is the slice that was looked at, on grids turned, flipped and oblique."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ContrastiveSegLib.active_learning.slice_positions import place_of
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.resampling import prepare

TURNS = [
    (order, flips)
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    for flips in itertools.product((1, -1), repeat=3)
    if flips.count(-1) != 1
]


def prepared(image: Volume, grid: WorkingGrid) -> PreparedCase:
    working, _ = prepare(image, grid, Intensities(window=(0, 1)))
    return PreparedCase("case", "case", working.array, None, working.geometry, image.geometry)


@pytest.mark.parametrize(("order", "flips"), TURNS)
def test_the_marked_slice_is_found_whatever_the_axes(order, flips):
    """One slice across the coarse axis is white; the working slice that shows it must lead back to it."""
    direction = np.zeros((3, 3))
    for column, (row, flip) in enumerate(zip(order, flips, strict=True)):
        direction[row, column] = flip
    spacing, size = [1.0, 1.0, 1.0], [12, 12, 12]
    spacing[1], size[1] = 4.0, 7  # across j
    geometry = Geometry.from_lists(size, spacing, [10.0, -20.0, 30.0], direction.ravel().tolist())
    array = np.zeros((1, *geometry.shape), np.float32)
    array[0, :, 5] = 1
    case = prepared(Volume(array, geometry), WorkingGrid("axial", 1.0, 0.0, (16, 16)))

    k = int(case.images[0].astype(float).mean((1, 2)).argmax())
    place = place_of(case, k)

    center = geometry.index_to_physical([5.5, 5, 5.5])
    assert (place.index, place.axis) == (5, "j")
    assert place.toward == "LPS"[order[1]]
    assert place.position_mm == pytest.approx(center[order[1]])


def test_a_coarser_working_grid_leads_to_the_nearest_slice():
    geometry = Geometry((20, 20, 30), (1.0, 1.0, 1.0), (0.0, 0.0, -10.0))
    case = prepared(Volume(np.zeros((1, *geometry.shape), np.float32), geometry),
                    WorkingGrid("axial", 1.0, 3.0, (8, 16, 16)))  # fmt: skip

    places = [place_of(case, k) for k in range(10)]

    assert [place.index for place in places] == list(range(1, 30, 3))
    assert [place.position_mm for place in places] == [index - 10.0 for index in range(1, 30, 3)]


def test_positions_on_an_oblique_grid_are_along_the_normal(an_oblique_volume):
    case = prepared(an_oblique_volume, WorkingGrid("axial", 1.0, 0.0, (16, 16)))

    first, second = (place_of(case, k) for k in (0, 1))

    normal = np.array(an_oblique_volume.geometry.direction).reshape(3, 3)[:, 2]
    assert (first.axis, first.toward) == ("k", "S")
    assert abs(second.position_mm - first.position_mm) == pytest.approx(3.0, abs=0.02)
    center = an_oblique_volume.geometry.index_to_physical([6.5, 5.5, first.index])
    assert first.position_mm == pytest.approx(float(center @ normal), abs=0.01)
