"""A structure that is one connected component in every annotation is one component in every prediction.

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

# A few voxels cut off by resampling do not make a second component.
SHARE_OF_ONE_PIECE = 0.99


Group = tuple[int, ...]


def single_components(label_maps: Iterable[npt.NDArray[Any]], values: Sequence[int]) -> tuple[Group, ...]:
    """The groups of values that form one connected component in every label map (K, H, W) that shows them.

    Returns:
        First all these values together, if together they are one component too; then each by itself.
    """
    maps = list(label_maps)
    alone = tuple((value,) for value in values if _is_one_piece(maps, (value,)))
    together = tuple(value for (value,) in alone)
    return (together, *alone) if len(together) > 1 and _is_one_piece(maps, together) else alone


def keep_largest(labels: npt.NDArray[Any], groups: Iterable[Sequence[int]]) -> npt.NDArray[Any]:
    """A copy of a label map (K, H, W) in which each group in turn keeps its largest component alone.

    The group of all goes first: what is mistaken for one chamber far from the heart may be larger than that
    chamber, but not than the heart.
    """
    kept = labels.copy()
    boxes = ndimage.find_objects(labels)  # in which nothing is added later
    for group in groups:
        box = _box_around([boxes[value - 1] for value in group if value <= len(boxes)])
        if box is None:
            continue
        _remove_small(kept[box], group)
    return kept


def _remove_small(labels: npt.NDArray[Any], group: Sequence[int]) -> None:
    """Make background of all components of a group but the largest."""
    components, count = ndimage.label(_mask_of(labels, group), TOUCHING)
    if count > 1:
        largest = int(np.argmax(_sizes(components, count))) + 1
        for plane, numbers in zip(labels, components, strict=True):
            plane[(numbers != largest) & (numbers > 0)] = 0


def _mask_of(labels: npt.NDArray[Any], group: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Where a label map (K, H, W) has one of these values; whole, eight bytes per voxel would be made."""
    mask = np.empty(labels.shape, bool)
    for plane, out in zip(labels, mask, strict=True):
        out[:] = np.isin(plane, group)
    return mask


def _box_around(boxes: Sequence[tuple[slice, ...] | None]) -> tuple[slice, ...] | None:
    """The box that holds all; None if there are none."""
    there = [box for box in boxes if box is not None]
    if not there:
        return None
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*there, strict=True)
    )


def _is_one_piece(maps: Iterable[npt.NDArray[Any]], group: Group) -> bool:
    """Whether the group is one component wherever it is shown, and shown at all."""
    numbered = (ndimage.label(_mask_of(labels, group), TOUCHING) for labels in maps)
    shown = [sizes for components, count in numbered if (sizes := _sizes(components, count)).size]
    return bool(shown) and all(sizes.max() >= SHARE_OF_ONE_PIECE * sizes.sum() for sizes in shown)


def _sizes(components: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Voxels of each numbered component, counted plane by plane as `_mask_of`."""
    sizes = np.zeros(count + 1, np.int64)
    for plane in components:
        sizes += np.bincount(plane.ravel(), minlength=count + 1)
    return sizes[1:]
