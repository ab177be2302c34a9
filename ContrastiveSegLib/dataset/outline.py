"""What a closed line of painted background leaves outside: background too, if the user says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def outside(marks: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where no structure can be reached without crossing painted background, in slices that show structures.

    People scribble background around a structure, seldom far from it. Where their line closes, everything
    beyond it is background as well, which they did not have to paint.

    Args:
        marks: (N, H, W) 0 untouched, 1 painted background, above 1 a structure.

    Returns:
        (N, H, W), true in the untouched regions that reach the border of the slice but no structure. Of a
        slice whose line is open, or that shows no structure, there are none.
    """
    found = np.zeros(marks.shape, bool)
    for k in np.flatnonzero((marks > 1).any((1, 2))):
        regions, _ = ndimage.label(marks[k] != 1)
        at_border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
        free = np.setdiff1d(at_border, [0, *regions[marks[k] > 1]])
        found[k] = np.isin(regions, free)
    return found
