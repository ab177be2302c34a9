"""Where a slice of the working grid lies on the image's own grid: what the user opens in 3D Slicer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ContrastiveSegLib.imaging.grid import slicing_axes
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase


@dataclass(frozen=True)
class Place:
    """One slice of an image.

    Args:
        index: From 0, as 3D Slicer counts.
        axis: Of the image's voxels, across the slice: i, j or k.
        toward: Where positions grow: L, P or S, or as nearly as the slices allow.
        position_mm: Of the slice's center, along its normal toward L, P or S.
    """

    index: int
    axis: str
    toward: str
    position_mm: float


def place_of(case: PreparedCase, k: int, *, plane: str) -> Place:
    """Find slice `k` of the working grid in the image.

    Args:
        plane: Of the working grid.
    """
    turned = slicing_axes(case.original, plane)[2]
    axis = abs(turned) - 1
    normal = np.array(case.original.direction).reshape(3, 3)[:, axis]
    middle = [(n - 1) / 2 for n in case.working.size[:2]]
    along = (case.working.index_to_physical([*middle, k]) - case.original.origin) @ normal
    index = int(np.clip(round(along / case.original.spacing[axis]), 0, case.original.size[axis] - 1))
    center = (np.array(case.original.size) - 1) / 2
    center[axis] = index
    upward = normal * np.sign(turned)
    position = float(case.original.index_to_physical(center) @ upward)
    return Place(index, "ijk"[axis], "LPS"[int(np.abs(normal).argmax())], float(f"{position:.6g}"))
