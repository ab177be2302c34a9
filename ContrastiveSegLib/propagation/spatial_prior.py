"""The spatial prior: structures are expected near where they were, a wall around what it surrounds now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.propagation.filled_contours import FilledContour, contours_in
from ContrastiveSegLib.sam._model import Labels, Mask

# The prior is limited to these log odds, so that other evidence can still decide.
DEEPEST, FARTHEST = 2.0, -8.0
# A wall that was moved with what it surrounds deviates less than one that stayed where it was.
MOVED = 0.5


def expected(
    labels: Labels, classes: Sequence[int], reach: float, moved: Sequence[int] = ()
) -> npt.NDArray[np.float64]:
    """The prior of each class at each pixel: (N, H, W), in log odds.

    Args:
        labels: (H, W), where the classes were.
        reach: Pixels that a border may deviate; one unit of log odds.
        moved: Walls that were moved with what they surround.
    """
    scores = []
    for value in classes:
        there = labels == value
        depth = ndimage.distance_transform_edt(there) - ndimage.distance_transform_edt(~there)
        scores.append(np.clip(depth / (reach * (MOVED if value in moved else 1)), FARTHEST, DEEPEST))
    return np.stack(scores)


def with_holes(labels: Labels) -> Labels:
    """A copy in which holes that no structure fills have a value: minus that of the structure around."""
    named = labels.copy()
    for contour in contours_in(labels):
        if contour.value < 0:
            named[contour.outline] = contour.value
    return named


def with_nested_moved(
    before: Labels, now: Labels, thickness: Mapping[int, float]
) -> tuple[Labels, tuple[int, ...]]:
    """Lay each wall around what it surrounds now.

    Args:
        before: (H, W), the slice before, holes named.
        now: (H, W), a first guess at this slice.
        thickness: Of annotated walls; others stay where they are.

    Returns:
        Where the structures are expected, and which of them are such walls.
    """
    places, moved = before.copy(), []
    for contour in contours_in(np.maximum(before, 0)):
        inside = np.isin(now, contour.inside)
        if contour.is_nested and contour.value in thickness and inside.any():
            places[np.isin(before, (contour.value, *contour.inside))] = 0
            places[around(inside, thickness[contour.value])] = contour.value
            places[inside] = now[inside]
            moved.append(contour.value)
    return places, tuple(moved)


def thickness_of(contours: Iterable[FilledContour], labels: Labels) -> dict[int, float]:
    """The thickness in pixels of each wall of a slice (H, W): twice the mean distance from its inside."""
    found = {}
    for contour in contours:
        if contour.is_nested:
            wall = labels == contour.value
            distance = ndimage.distance_transform_edt(~(contour.outline & ~wall))
            found[contour.value] = 2 * float(distance[wall].mean())
    return found


def around(inside: Mask, thickness: float) -> Mask:
    """A wall of this thickness around what lies inside (H, W)."""
    wall: Mask = (ndimage.distance_transform_edt(~inside) <= thickness) & ~inside
    return wall
