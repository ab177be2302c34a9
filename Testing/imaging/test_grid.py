"""The working grid follows from the data, and covers every case."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import (
    WorkingGrid,
    count_slices,
    derive_grid,
    slicing_axes,
    working_geometry,
)
from ContrastiveSegLib.imaging.volume import Geometry
from Testing.orientations import OBLIQUE, ORIENTATIONS


def in_axes_of(geometry: Geometry, points: np.ndarray) -> np.ndarray:
    """Positions in mm along the axes i, j, k of a grid."""
    return points @ np.reshape(geometry.direction, (3, 3))


def test_all_48_orientations_are_there():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_any_orientation_becomes_left_posterior_superior(direction):
    geometry = Geometry((10, 11, 12), (1.0, 1.1, 1.2), (5.0, -7.0, 9.0), direction)

    working = working_geometry(geometry, WorkingGrid("axial", 1.0, 0.0, (32, 32)))

    np.testing.assert_allclose(np.reshape(working.direction, (3, 3)), np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("plane", "expected"),
    [("axial", (0, 1, 2)), ("coronal", (0, 2, 1)), ("sagittal", (1, 2, 0))],
)
def test_nearly_cubic_voxels_are_cut_in_the_plane_asked_for(plane, expected):
    geometry = Geometry((10, 11, 12), (1.0, 1.1, 1.2))

    working = working_geometry(geometry, WorkingGrid(plane, 1.0, 0.0, (32, 32)))

    directions = np.reshape(working.direction, (3, 3)).T  # rows: i, j, k
    np.testing.assert_array_equal(directions, np.eye(3)[list(expected)])


@pytest.mark.parametrize(("axis", "plane"), [(0, "axial"), (1, "sagittal"), (2, "coronal")])
def test_a_clearly_coarsest_axis_is_cut_along_whatever_was_asked(axis, plane):
    spacing = tuple(5.0 if n == axis else 1.0 for n in range(3))

    axes = slicing_axes(Geometry((10, 10, 10), spacing), plane)

    assert axes[2] == axis + 1


def test_an_axis_that_is_only_a_little_coarser_does_not_decide():
    assert slicing_axes(Geometry((10, 10, 10), (1.4, 1.0, 1.0)), "axial") == (1, 2, 3)
    assert slicing_axes(Geometry((10, 10, 10), (1.5, 1.0, 1.0)), "axial") == (2, 3, 1)


def test_axes_that_run_backwards_are_turned_around():
    direction = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)

    assert slicing_axes(Geometry((10, 10, 10), direction=direction), "axial") == (-1, 2, -3)


def test_an_oblique_stack_keeps_its_own_directions():
    geometry = Geometry((20, 20, 8), (1.0, 1.0, 8.0), (4.0, -8.0, 100.0), OBLIQUE)

    working = working_geometry(geometry, WorkingGrid("axial", 1.0, 0.0, (32, 32)))

    assert working.matches(geometry)


@pytest.mark.parametrize("spacing", [0.37, 0.9995, 1.0, 1.7, 4.2])
@pytest.mark.parametrize("slice_spacing", [0.0, 1.3, 9.0])
@pytest.mark.parametrize("direction", [OBLIQUE, ORIENTATIONS[13]])
def test_the_field_of_view_keeps_its_center_and_loses_nothing(spacing, slice_spacing, direction):
    geometry = Geometry((17, 23, 9), (1.0, 0.8, 2.7), (4.0, -8.0, 100.0), direction)

    working = working_geometry(geometry, WorkingGrid("axial", spacing, slice_spacing, (32, 32)))

    np.testing.assert_allclose(working.corners().mean(0), geometry.corners().mean(0), atol=1e-6)
    outer, inner = (in_axes_of(working, g.corners()) for g in (working, geometry))
    tolerance = 0.01 * np.array(working.spacing)
    assert (outer.min(0) <= inner.min(0) + tolerance).all()
    assert (outer.max(0) >= inner.max(0) - tolerance).all()
    assert (np.ptp(outer, 0) <= np.ptp(inner, 0) + working.spacing).all()


def test_a_spacing_that_differs_by_rounding_stays_as_it_is():
    geometry = Geometry((20, 20, 8), (1.0004, 1.0004, 5.0))

    working = working_geometry(geometry, WorkingGrid("axial", 1.0, 5.0, (32, 32)))

    assert working == geometry


def test_slices_keep_their_own_spacing_unless_one_is_given():
    geometry = Geometry((20, 20, 8), (1.0, 1.0, 5.0))

    own = working_geometry(geometry, WorkingGrid("axial", 2.0, 0.0, (32, 32)))
    given = working_geometry(geometry, WorkingGrid("axial", 2.0, 2.5, (4, 32, 32)))

    assert (own.spacing, own.size) == ((2.0, 2.0, 5.0), (10, 10, 8))
    assert (given.spacing, given.size) == ((2.0, 2.0, 2.5), (10, 10, 16))


def test_spacing_and_patch_are_the_medians_of_the_data():
    geometries = [
        Geometry((100, 80, 10), (1.0, 1.0, 5.0)),
        Geometry((120, 90, 12), (1.2, 1.2, 5.0)),
        Geometry((200, 190, 12), (1.4, 1.4, 6.0)),
    ]

    grid = derive_grid(geometries)

    # median field of view 144 x 108 mm at 1.2 mm: 120 x 90 pixels
    assert grid == WorkingGrid("axial", 1.2, 0.0, (96, 128))


def test_a_patch_is_no_larger_than_the_machine_allows_and_no_smaller_than_32():
    large, small = Geometry((500, 100, 10), (1.0, 1.0, 5.0)), Geometry((20, 20, 10), (1.0, 1.0, 5.0))

    assert derive_grid([large], largest_side=256).patch == (112, 256)
    assert derive_grid([large], largest_side=128).patch == (112, 128)
    assert derive_grid([small]).patch == (32, 32)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_counted_along_the_axis_they_are_cut_along(axis):
    size, spacing = [160, 160, 160], [1.0, 1.0, 1.0]
    size[axis], spacing[axis] = 20, 8.0
    stack = Geometry(tuple(size), tuple(spacing))
    cubes = Geometry((64, 60, 50), (1.0, 1.0, 1.0))

    assert count_slices([stack] * 3, derive_grid([stack] * 3)) == 60
    assert count_slices([cubes], WorkingGrid("sagittal", 1.0, 0.0, (32, 32))) == 64
    assert count_slices([cubes], WorkingGrid("axial", 2.0, 2.0, (8, 32, 32))) == 25


def test_what_is_given_stays_as_given():
    geometries = [Geometry((100, 100, 100))]

    grid = derive_grid(geometries, spacing=0.5, patch=(64, 48), plane="sagittal")

    assert grid == WorkingGrid("sagittal", 0.5, 0.0, (64, 48))


def test_a_given_spacing_changes_the_derived_patch():
    assert derive_grid([Geometry((100, 60, 20), (1.0, 1.0, 5.0))], spacing=2.0).patch == (32, 64)


def test_the_plane_is_that_of_most_anisotropic_cases():
    cubes = [Geometry((50, 50, 50))] * 5
    sagittal = [Geometry((10, 60, 60), (4.0, 1.0, 1.0))] * 2
    axial = [Geometry((60, 60, 10), (1.0, 1.0, 4.0))]

    assert derive_grid(cubes).plane == "axial"
    assert derive_grid([*cubes, *sagittal, *axial]).plane == "sagittal"


def test_blocks_have_the_median_slices_and_half_the_side():
    geometries = [Geometry((200, 160, 30), (1.0, 1.0, 4.0))] * 2

    grid = derive_grid(geometries, spatial_dims=3, largest_side=128)

    assert grid.slice_spacing == 4.0
    assert grid.patch == (24, 64, 64)


def test_blocks_of_few_slices_take_all_of_them():
    assert derive_grid([Geometry((64, 64, 5), (1.0, 1.0, 9.0))], spatial_dims=3).patch == (5, 64, 64)


def test_blocks_of_many_slices_are_cut():
    patch = derive_grid([Geometry((64, 64, 64))], spatial_dims=3, largest_side=128).patch

    assert patch == (32, 64, 64)


@pytest.mark.parametrize(
    ("patch", "dims", "message"),
    [
        ((64,), 2, r"64 as patch .* 1 sizes, but spatial_dims is 2\. Give height and width"),
        ((64, 64), 3, r"64 x 64 as patch .* 2 sizes, but spatial_dims is 3\. Give slices, height and width"),
        ((100, 64), 2, r"is 100 x 64, but height and width must be multiples of 16\. Try 112 x 64"),
        ((8, 64, 20), 3, r"is 8 x 64 x 20, .*Try 64 x 32 in plane"),
    ],
)
def test_a_patch_that_cannot_be_pooled_is_refused_with_one_that_can(patch, dims, message):
    with pytest.raises(BadSetting, match=message):
        derive_grid([Geometry((64, 64, 64))], spatial_dims=dims, patch=patch)
