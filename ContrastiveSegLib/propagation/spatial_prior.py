"""Where structures are expected: near where they were, and a ring around what it surrounds now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.propagation.filled_contours import FilledContour, contours_in
from ContrastiveSegLib.sam._model import Labels, Mask

# However deep inside or far outside, other witnesses are still heard; in log odds.
DEEPEST, FARTHEST = 2.0, -8.0
# A ring that was moved with what it surrounds strays less than one that stayed where it was.
MOVED = 0.5


def expected(
    labels: Labels, classes: Sequence[int], reach: float, moved: Sequence[int] = ()
) -> npt.NDArray[np.float64]:
    """How much speaks for each class at each pixel: (N, H, W), in log odds.

    Args:
        labels: (H, W), where the classes were.
        reach: Pixels that a border may stray; one unit of log odds.
        moved: Rings that already went with what they surround.
    """
    scores = []
    for value in classes:
        there = labels == value
        depth = ndimage.distance_transform_edt(there) - ndimage.distance_transform_edt(~there)
        scores.append(np.clip(depth / (reach * (MOVED if value in moved else 1)), FARTHEST, DEEPEST))
    return np.stack(scores)


def with_holes(labels: Labels) -> Labels:
    """A copy in which a hole that no structure fills has a value of its own: minus that of its ring."""
    named = labels.copy()
    for figure in contours_in(labels):
        if figure.value < 0:
            named[figure.outline] = figure.value
    return named


def with_nested_moved(
    before: Labels, now: Labels, thickness: Mapping[int, float]
) -> tuple[Labels, tuple[int, ...]]:
    """Lay each ring around what it surrounds now.

    Args:
        before: (H, W), the slice before, holes named.
        now: (H, W), a first guess at this slice.
        thickness: Of rings that were annotated; others stay where they are.

    Returns:
        Where the structures are expected, and which of them are such rings.
    """
    places, moved = before.copy(), []
    for figure in contours_in(np.maximum(before, 0)):
        inside = np.isin(now, figure.inside)
        if figure.is_nested and figure.value in thickness and inside.any():
            places[np.isin(before, (figure.value, *figure.inside))] = 0
            places[around(inside, thickness[figure.value])] = figure.value
            places[inside] = now[inside]
            moved.append(figure.value)
    return places, tuple(moved)


def thickness_of(figures: Iterable[FilledContour], labels: Labels) -> dict[int, float]:
    """Pixels that each ring of a slice (H, W) is thick: twice the mean distance from its inside."""
    found = {}
    for figure in figures:
        if figure.is_nested:
            ring = labels == figure.value
            distance = ndimage.distance_transform_edt(~(figure.outline & ~ring))
            found[figure.value] = 2 * float(distance[ring].mean())
    return found


def around(inside: Mask, thickness: float) -> Mask:
    """A ring of this thickness around what lies inside (H, W)."""
    ring: Mask = (ndimage.distance_transform_edt(~inside) <= thickness) & ~inside
    return ring
