"""Label maps as arrays: int16, or int32 where a value needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

LabelArray = npt.NDArray[np.signedinteger[Any]]

# Numbers up to this one are looked up in a table of all; among larger ones each is searched for.
LONGEST_TABLE = 1 << 16


def label_type(largest: int) -> np.dtype[np.signedinteger[Any]]:
    """How label maps with values up to this one are kept."""
    return np.dtype(np.int16 if largest <= np.iinfo(np.int16).max else np.int32)


def translated(array: npt.NDArray[Any], numbers: Mapping[int, int]) -> LabelArray:
    """A label map with other numbers for its own; what is not named becomes 0."""
    kind = label_type(max(numbers.values(), default=0))
    own = np.array(sorted({0, *numbers}))
    wanted = np.array([numbers.get(value, 0) for value in own.tolist()], kind)
    largest = max(int(own[-1]), int(array.max(initial=0)))
    if largest < LONGEST_TABLE:
        table = np.zeros(largest + 1, kind)
        table[own] = wanted
        looked_up: LabelArray = table[array]
        return looked_up
    found = np.empty(array.shape, kind)
    for part, out in zip(array, found, strict=True):  # positions take eight bytes per voxel
        places = np.minimum(np.searchsorted(own, part), len(own) - 1)
        out[...] = np.where(own[places] == part, wanted[places], 0)
    return found


def values_in(array: npt.NDArray[Any]) -> list[int]:
    """The label values that occur, without the background."""
    largest = int(array.max(initial=0))
    if largest >= LONGEST_TABLE:
        return sorted(set().union(*(np.unique(part).tolist() for part in array)) - {0})
    present = np.zeros(largest + 1, bool)
    for part in array:  # counting a whole volume would take eight bytes per voxel
        if largest < part.size:
            present |= np.bincount(part.ravel(), minlength=len(present)) > 0
        else:  # a table of occurrences is much faster than sorting all voxels
            present[part] = True
    return (np.flatnonzero(present[1:]) + 1).tolist()
