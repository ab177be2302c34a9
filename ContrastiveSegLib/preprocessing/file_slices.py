"""Which slice of the image's own file a slice of the working grid is: counted from 0, as 3D Slicer counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.imaging.volume import Geometry


@dataclass(frozen=True)
class FileSlices:
    """The slices of a file, in the order of the slices of the working grid.

    Args:
        axis: Of the file's voxels, across the slices: 0, 1 or 2 for i, j or k.
        upward: The unit vector along which slices of the working grid grow, in LPS.
        numbers: Of the slice that is nearest to each slice of the working grid.
    """

    axis: int
    upward: npt.NDArray[np.float64]
    numbers: tuple[int, ...]


def file_slices(original: Geometry, working: Geometry) -> FileSlices:
    """Find the slices of the working grid in the file.

    Args:
        working: A grid that `working_geometry` made of `original`: its axes are those of the file, turned.
    """
    own, turned = (np.array(grid.direction).reshape(3, 3) for grid in (original, working))
    upward = turned[:, 2]
    axis = int(np.abs(own.T @ upward).argmax())
    places = np.tile((np.array(working.size) - 1) / 2, (working.size[2], 1))
    places[:, 2] = np.arange(working.size[2])
    found = original.physical_to_index(working.index_to_physical(places))[:, axis]
    numbers = np.clip(np.rint(found), 0, original.size[axis] - 1).astype(int)
    return FileSlices(axis, upward, tuple(numbers.tolist()))
