"""Labels come onto the grid of their image, and whatever moves or is lost on the way is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.volume import Geometry, Volume

TURNED = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
GRIDS = {
    "straight": Geometry((12, 10, 8), (0.7, 1.3, 5.0), (-12.5, 30.25, 7.0)),
    "oblique": Geometry((12, 10, 8), (0.5, 0.9, 3.0), (4.0, -8.0, 100.0), TURNED),
    "microns": Geometry((12, 10, 8), (1e-3, 1e-3, 2e-3), (0.1, 0.2, 0.3)),
    "meters": Geometry((12, 10, 8), (1e3, 1e3, 4e3), (1e5, 2e5, 0.0)),
}


@pytest.fixture(params=GRIDS.values(), ids=GRIDS.keys())
def a_grid(request: pytest.FixtureRequest) -> Geometry:
    grid: Geometry = request.param
    return grid


def drawn_on(geometry: Geometry) -> Volume:
    """A block of 1 with a block of 2 at its side: no two directions look alike."""
    array = np.zeros(geometry.shape, np.int16)
    array[2:6, 3:8, 2:9] = 1
    array[4:7, 5:9, 7:11] = 2
    return Volume(array, geometry)


def moved(geometry: Geometry, *voxels: float) -> Geometry:
    """The same grid, so many voxels farther along its own axes."""
    return replace(geometry, origin=tuple(geometry.index_to_physical(voxels).tolist()))


def test_labels_on_the_grid_of_the_image_stay_as_they_are(a_grid):
    labels = drawn_on(a_grid)

    placed = labels_on_grid(labels, a_grid, name="case")

    assert placed.volume.array is labels.array
    assert (placed.notes, placed.exact) == ((), True)


def test_labels_on_another_grid_take_the_nearest_voxel_and_say_so():
    generator = np.random.default_rng(5)
    labels = Volume(generator.integers(0, 4, (6, 5, 4)).astype(np.int16), OBLIQUE_SMALL)
    image = Geometry((7, 6, 9), (0.45, 0.7, 1.1), (4.3, -8.4, 99.0), (1, 0, 0, 0, 0.8, -0.6, 0, 0.6, 0.8))

    placed = labels_on_grid(labels, image, name="case")

    assert placed.volume.geometry == image
    np.testing.assert_array_equal(placed.volume.array, nearest_by_hand(labels, image))
    assert placed.volume.array.any()
    assert not placed.exact
    assert placed.notes[0].startswith(
        "The labels lie on another grid and were resampled: the image has 7 x 6 x 9"
    )
    lost = lost_by_hand(labels, image)
    assert (
        placed.notes[1]
        == f"{lost} of {(labels.array > 0).sum()} labeled voxels lie outside of the image and are lost."
    )


OBLIQUE_SMALL = Geometry((4, 5, 6), (0.5, 0.9, 3.0), (4.0, -8.0, 100.0), TURNED)


def nearest_by_hand(labels: Volume, image: Geometry) -> np.ndarray:
    axes = np.reshape(labels.geometry.direction, (3, 3)).T
    result = np.zeros(image.shape, np.int16)
    for k, h, w in np.ndindex(image.shape):
        place = image.index_to_physical((w, h, k)) - labels.geometry.origin
        i, j, kk = np.floor(place @ axes.T / labels.geometry.spacing + 0.5).astype(int)
        inside = all(0 <= n < size for n, size in zip((i, j, kk), labels.geometry.size, strict=True))
        result[k, h, w] = labels.array[kk, j, i] if inside else 0
    return result


def lost_by_hand(labels: Volume, image: Geometry) -> int:
    axes = np.reshape(image.direction, (3, 3)).T
    lost = 0
    for k, h, w in np.argwhere(labels.array):
        index = (labels.geometry.index_to_physical((w, h, k)) - image.origin) @ axes.T / image.spacing
        lost += any(not -0.5 <= n <= size - 0.5 for n, size in zip(index, image.size, strict=True))
    return lost


def test_a_cropped_label_map_is_put_back_into_the_whole_image_without_a_word(a_grid):
    whole = drawn_on(a_grid)
    origin = tuple(a_grid.index_to_physical((1, 2, 2)).tolist())
    cropped = Volume(whole.array[2:7, 2:9, 1:11], replace(a_grid, size=(10, 7, 5), origin=origin))

    placed = labels_on_grid(cropped, a_grid, name="case")

    np.testing.assert_array_equal(placed.volume.array, whole.array)
    assert (placed.notes, placed.exact) == ((), True)


def test_labels_larger_than_the_image_are_cut_and_the_lost_voxels_counted(a_grid):
    whole = drawn_on(a_grid)
    image = replace(moved(a_grid, 0, 0, 3), size=(12, 10, 5))

    placed = labels_on_grid(whole, image, name="case")

    np.testing.assert_array_equal(placed.volume.array, whole.array[3:])
    lost = int((whole.array[:3] > 0).sum())
    assert placed.notes == (
        f"{lost} of {(whole.array > 0).sum()} labeled voxels lie outside of the image and are lost.",
    )


@pytest.mark.parametrize("size", [(12, 9, 8), (14, 10, 6)])
def test_labels_that_are_no_part_of_the_image_are_said_to_lie_elsewhere(a_grid, size):
    labels = Volume(np.ones(size[::-1], np.int16), replace(moved(a_grid, 1, 0, 0), size=size))

    placed = labels_on_grid(labels, a_grid, name="case")

    lost = (size[0] + 1 - 12) * size[1] * size[2]
    assert placed.notes[0].startswith("The labels lie on another grid and were resampled: the image has 12")
    assert placed.notes[1] == (
        f"{lost} of {labels.array.size} labeled voxels lie outside of the image and are lost."
    )


def test_labels_with_rows_and_columns_exchanged_are_said_to_lie_elsewhere(a_grid):
    array = np.zeros((8, 12, 10), np.int16)
    array[2:4, 2:4, 2:4] = 1

    placed = labels_on_grid(Volume(array, replace(a_grid, size=(10, 12, 8))), a_grid, name="case")

    assert placed.notes[0].startswith("The labels lie on another grid and were resampled: the image has 12")


ELSEWHERE = {
    "no header": lambda grid: Geometry(grid.size),
    "no origin": lambda grid: replace(grid, origin=(0.0, 0.0, 0.0)),
    "spacing 1": lambda grid: replace(grid, spacing=(1.0, 1.0, 1.0)),
    "no direction": lambda grid: replace(grid, direction=STRAIGHT),
    "left for right": lambda grid: replace(grid, direction=tuple(-np.array(grid.direction))),
    "half outside": lambda grid: moved(grid, 6, 0, 0),
    "whole voxels beside": lambda grid: moved(grid, 0, 2, 0),
    "slices the other way": lambda grid: replace(
        grid, direction=tuple((np.reshape(grid.direction, (3, 3)) * (1, 1, -1)).ravel())
    ),
    "turned a little": lambda grid: replace(grid, direction=tuple(turned_about_k(grid, 20.0).ravel())),
}


def turned_about_k(grid: Geometry, degrees: float) -> np.ndarray:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.reshape(grid.direction, (3, 3)) @ [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_as_many_voxels_in_another_place_are_refused(a_grid, kind):
    elsewhere = ELSEWHERE[kind](a_grid)
    if elsewhere == a_grid:
        pytest.skip("this grid has nothing to lose there")

    with pytest.raises(BadFile, match=r"lie on another grid|do not lie within its image") as caught:
        labels_on_grid(drawn_on(elsewhere), a_grid, name="patient 7")

    assert a_grid.describe() in str(caught.value)
    assert elsewhere.describe() in str(caught.value)


def test_a_refusal_counts_what_would_be_lost():
    grid = GRIDS["straight"]
    labels = drawn_on(moved(grid, 6, 0, 0))

    with pytest.raises(BadFile) as caught:
        labels_on_grid(labels, grid, name="patient 7")

    lost = int((labels.array[..., 6:] > 0).sum())
    assert (
        f"{lost} of {(labels.array > 0).sum()} labeled voxels lie outside of the image" in caught.value.what
    )
    assert "copy the header of the image to the labels" in caught.value.remedy


@pytest.mark.parametrize(
    ("beside", "note"), [(0.05, "both are taken for the same voxels"), (0.4, "were resampled")]
)
def test_a_part_of_a_voxel_is_no_other_place_but_is_said(a_grid, beside, note):
    labels = drawn_on(moved(a_grid, beside, 0, 0))

    placed = labels_on_grid(labels, a_grid, name="case")

    np.testing.assert_array_equal(placed.volume.array, labels.array)
    assert note in placed.notes[0]


def test_the_same_voxels_stored_along_other_axes_are_turned_and_that_is_said(a_grid):
    labels = drawn_on(a_grid)
    rows = np.reshape(a_grid.direction, (3, 3))
    last = tuple(a_grid.index_to_physical((11, 0, 7)).tolist())
    flipped = replace(a_grid, origin=last, direction=tuple((rows * (-1, 1, -1)).ravel()))

    placed = labels_on_grid(Volume(labels.array[::-1, :, ::-1], flipped), a_grid, name="case")

    np.testing.assert_array_equal(placed.volume.array, labels.array)
    assert placed.notes == (
        "The axes of the labels run otherwise than those of the image; the labels were turned.",
    )


def test_labels_that_lie_elsewhere_are_refused_with_both_geometries(a_label_map):
    elsewhere = Geometry((10, 10, 10), (2.0, 2.0, 2.0), (900.0, 0.0, 0.0))

    with pytest.raises(BadFile) as caught:
        labels_on_grid(a_label_map, elsewhere, name="patient 7")

    assert "The labels of patient 7 do not lie within its image" in str(caught.value)
    assert elsewhere.describe() in str(caught.value)
    assert a_label_map.geometry.describe() in str(caught.value)
    assert "belong to this image" in caught.value.remedy


def test_labels_that_overlap_only_with_their_background_are_refused():
    array = np.zeros((6, 6, 6), np.int16)
    array[0] = 1
    image = Geometry((6, 6, 2), origin=(0.0, 0.0, 4.0))

    with pytest.raises(BadFile, match="do not lie within its image"):
        labels_on_grid(Volume(array, Geometry((6, 6, 6))), image, name="case")


def test_labels_of_nothing_lie_anywhere():
    far = Geometry((1, 1, 1), origin=(500.0, 500.0, 500.0))

    placed = labels_on_grid(Volume(np.zeros((1, 1, 1), np.int16), far), GRIDS["oblique"], name="case")

    assert placed.volume.geometry == GRIDS["oblique"]
    assert not placed.volume.array.any()
