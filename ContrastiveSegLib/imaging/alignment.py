"""Bring a label map onto the grid of its image, and say what moved and what was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.volume import GRID_TOLERANCE_VOXELS, Geometry, Volume

# Centers of voxels that are closer than this are centers of the same voxel.
SAME_VOXEL = 0.1
# Two files of equal size whose voxels are farther apart than this do not describe one place; half a voxel is
# what lies between programs that mean the corner and those that mean the center of the first voxel.
SAME_PLACE_VOXELS = 0.55

CHECK = "Check that the labels belong to this {of}, and export both in the same space."
LOST_HEADER = (
    "One of the two has probably lost its position on the way. If they belong together voxel by voxel, copy "
    "the header of the {of} to the labels; otherwise resample the labels onto the {of}."
)


@dataclass(frozen=True)
class Placed:
    """Labels on the grid of their image, and what to know about that.

    Args:
        exact: Whether every voxel was taken as it is, none between others.
    """

    volume: Volume
    notes: tuple[str, ...] = ()
    exact: bool = True


def labels_on_grid(labels: Volume, image: Geometry, *, name: str, of: str = "image") -> Placed:
    """Bring a label map onto the grid of its image: as it is when the grids agree, else by nearest neighbor.

    Args:
        name: What to call the case in an error.
        of: What the other grid is the grid of.

    Raises:
        BadFile: Labels and image do not share space, every labeled voxel lies outside the image, or both have
            as many voxels in different places.
    """
    if labels.geometry.matches(image):
        return Placed(Volume(labels.array, image))
    if not labels.array.any():  # nothing can be misplaced
        return Placed(Volume(np.zeros(image.shape, labels.array.dtype), image))
    lost = _outside(labels, image)
    if not labels.geometry.overlaps(image) or lost == np.count_nonzero(labels.array):
        raise BadFile(
            f"The labels of {name} do not lie within its {of}: {_both(labels, image, of)}.",
            CHECK.format(of=of),
        )
    on_voxels = _are_voxels_of(labels.geometry, image)
    same_box = on_voxels and _fill_the_same_box(labels.geometry, image)
    if not same_box and SAME_PLACE_VOXELS < _farthest(labels.geometry, image) < np.inf:
        raise BadFile(
            f"The labels of {name} have as many voxels as its {of}, but lie on another grid: "
            f"{_both(labels, image, of)}; {_lost_voxels(labels, lost)} outside of the {of}.",
            LOST_HEADER.format(of=of),
        )
    notes = [f"{_lost_voxels(labels, lost)} outside of the {of} and are lost."] if lost else []
    if same_box:
        notes.append(_same_voxels(labels.geometry, image, of))
    elif not (on_voxels and _one_holds_the_other(labels.geometry, image)):
        notes.insert(0, f"The labels lie on another grid and were resampled: {_both(labels, image, of)}.")
    return Placed(Volume(_nearest(labels, image), image), tuple(notes), on_voxels)


def _both(labels: Volume, image: Geometry, of: str) -> str:
    return f"the {of} has {image.describe()}; the labels have {labels.geometry.describe()}"


def _lost_voxels(labels: Volume, lost: int) -> str:
    return f"{lost} of {np.count_nonzero(labels.array)} labeled voxels lie"


def _same_voxels(geometry: Geometry, image: Geometry, of: str) -> str:
    apart = _farthest(geometry, image)
    if apart <= SAME_VOXEL:
        return f"The labels lie {apart:.2g} voxels beside the {of}; both are taken for the same voxels."
    return f"The axes of the labels run otherwise than those of the {of}; the labels were turned."


def _index_map(
    geometry: Geometry, image: Geometry
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Matrix (3, 3) and shift (3,) that lead from indices (i, j, k) of one grid to those of another."""
    places = image.physical_to_index(geometry.index_to_physical(np.vstack([np.zeros(3), np.eye(3)])))
    return (places[1:] - places[0]).T, places[0]


def _are_voxels_of(geometry: Geometry, image: Geometry) -> bool:
    """Whether each voxel is one of the image's, which may be larger, smaller or turned."""
    matrix, shift = _index_map(geometry, image)
    turn = np.abs(np.rint(matrix))
    is_turn = all(np.array_equal(turn.sum(axis), [1, 1, 1]) for axis in (0, 1))
    strayed = geometry.corner_voxels() @ (matrix - np.rint(matrix)).T + (shift - np.rint(shift))
    return is_turn and float(np.abs(strayed).max()) <= SAME_VOXEL


def _fill_the_same_box(geometry: Geometry, image: Geometry) -> bool:
    """Whether the first and last voxels of one are those of the other, in whatever order."""
    places = np.rint(image.physical_to_index(geometry.index_to_physical(geometry.corner_voxels())))
    return {tuple(place) for place in places.tolist()} == {
        tuple(place) for place in image.corner_voxels().tolist()
    }


def _one_holds_the_other(geometry: Geometry, image: Geometry) -> bool:
    """Whether one grid is cut out of the other: what only overlaps was probably moved."""
    return geometry.size != image.size and (_is_within(geometry, image) or _is_within(image, geometry))


def _is_within(inner: Geometry, outer: Geometry) -> bool:
    places = outer.physical_to_index(inner.index_to_physical(inner.corner_voxels()))
    return bool(((places > -0.5) & (places < np.array(outer.size) - 0.5)).all())


def _farthest(geometry: Geometry, image: Geometry) -> float:
    """How far apart voxels of the same number are at most, in voxels of the image; both have equal sizes."""
    if geometry.size != image.size:
        return np.inf
    corners = geometry.corner_voxels()
    return float(np.abs(image.physical_to_index(geometry.index_to_physical(corners)) - corners).max())


def _outside(labels: Volume, image: Geometry) -> int:
    """How many labeled voxels have their center outside of the image."""
    matrix, shift = _index_map(labels.geometry, image)
    low, high = -0.5 - GRID_TOLERANCE_VOXELS, np.array(image.size) - 0.5 + GRID_TOLERANCE_VOXELS
    outside = 0
    for k, drawn in enumerate(labels.array):  # slice by slice: all places at once would take much memory
        rows, columns = np.nonzero(drawn)
        places = np.stack([columns, rows, np.full(len(rows), k)], axis=1) @ matrix.T + shift
        outside += int(np.count_nonzero(((places < low) | (places > high)).any(axis=1)))
    return outside


def _nearest(labels: Volume, image: Geometry) -> npt.NDArray[Any]:
    resampled = sitk.Resample(
        labels.to_sitk(), image.size, sitk.Transform(), sitk.sitkNearestNeighbor,
        image.origin, image.spacing, image.direction, 0,
    )  # fmt: skip
    return Volume.from_sitk(resampled).array
