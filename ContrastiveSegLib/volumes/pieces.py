"""A structure that is one connected piece in every annotation is one piece in every prediction.

Source: the rule of Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z; decided here
from the annotations alone, because a few patients leave none to validate on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# Voxels that touch at a face, an edge or a corner: the wall of a ventricle moves by more than its thickness
# from one thick slice to the next, and would fall apart if only faces counted.
TOUCHING = ndimage.generate_binary_structure(3, 3)

# A few voxels cut off by resampling do not make a second piece.
SHARE_OF_ONE_PIECE = 0.99


def single_pieces(label_maps: Iterable[npt.NDArray[Any]], values: Sequence[int]) -> tuple[int, ...]:
    """The values that form one connected piece in every label map (K, H, W) that shows them."""
    single, seen = set(values), set()
    for labels in label_maps:
        for value in values:
            sizes = _sizes(labels == value)
            if sizes.size:
                seen.add(value)
                if sizes.max() < SHARE_OF_ONE_PIECE * sizes.sum():
                    single.discard(value)
    return tuple(value for value in values if value in single & seen)


def keep_largest(labels: npt.NDArray[Any], values: Sequence[int]) -> npt.NDArray[Any]:
    """A copy of a label map (K, H, W) in which each of the values keeps its largest piece alone."""
    kept = labels.copy()
    for value in values:
        pieces, count = ndimage.label(labels == value, TOUCHING)
        if count > 1:
            largest = int(np.argmax(np.bincount(pieces.ravel())[1:])) + 1
            kept[(pieces != largest) & (pieces > 0)] = 0
    return kept


def _sizes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Voxels of each piece."""
    pieces, _ = ndimage.label(mask, TOUCHING)
    sizes: npt.NDArray[np.int64] = np.bincount(pieces.ravel())[1:]
    return sizes
