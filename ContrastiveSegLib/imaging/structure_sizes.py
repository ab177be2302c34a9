"""A few numbers that can be compared between cases: the volume of each structure, and its position."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.imaging.volume import Geometry

ROW, COLUMN, SLICE = "position along rows", "position along columns", "slice position"


def sizes_of(labels: npt.NDArray[Any], names: list[str], grid: Geometry) -> dict[str, float]:
    """Volumes and positions in a label map (K, H, W); nan for what is not there.

    Returns:
        "volume of NAME": its logarithm, in ml, so that double and half are equally far. ROW, COLUMN: the
        center of all structures, in mm from the center of the image. SLICE: likewise, 0 lowest, 1 highest.
    """
    voxel_ml = math.prod(grid.spacing) / 1000
    counts = np.bincount(labels[labels > 0].ravel(), minlength=len(names) + 1)[1:]
    volumes = {
        f"volume of {name}": math.log(count * voxel_ml) if count else math.nan
        for name, count in zip(names, counts, strict=False)
    }
    return volumes | _place(labels > 0, grid)


def _place(mask: npt.NDArray[np.bool_], grid: Geometry) -> dict[str, float]:
    if not mask.any():
        return {ROW: math.nan, COLUMN: math.nan, SLICE: math.nan}
    k, row, column = (float(where.mean()) for where in np.nonzero(mask))
    _, row_mm, column_mm = grid.spacing_khw
    slices, rows, columns = mask.shape
    return {
        ROW: (row - (rows - 1) / 2) * row_mm,
        COLUMN: (column - (columns - 1) / 2) * column_mm,
        SLICE: k / max(slices - 1, 1),
    }
