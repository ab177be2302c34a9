"""Where a slice of the working grid lies on the image's own grid: what the user opens in 3D Slicer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ContrastiveSegLib.preprocessing.file_slices import file_slices
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


def place_of(case: PreparedCase, k: int) -> Place:
    """Find slice `k` of the working grid in the image."""
    slices = file_slices(case.original, case.working)
    axis, index = slices.axis, slices.numbers[k]
    center = (np.array(case.original.size) - 1) / 2
    center[axis] = index
    position = float(case.original.index_to_physical(center) @ slices.upward)
    return Place(index, "ijk"[axis], "LPS"[int(np.abs(slices.upward).argmax())], float(f"{position:.6g}"))
