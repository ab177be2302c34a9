"""Where structures are expected: near where they were, and a ring around what it surrounds now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.prompting._model import Mask
from ContrastiveSegLib.prompting.figures import figures_in
from ContrastiveSegLib.prompting.shades import Labels

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
    for figure in figures_in(labels):
        if figure.value < 0:
            named[figure.outline] = figure.value
    return named


def with_rings_moved(before: Labels, now: Labels) -> tuple[Labels, tuple[int, ...]]:
    """Lay each ring, at the thickness it had, around what it surrounds now.

    Args:
        before: (H, W), the slice before, holes named.
        now: (H, W), a first guess at this slice.

    Returns:
        Where the structures are expected, and which of them are such rings.
    """
    places, moved = before.copy(), []
    for figure in figures_in(np.maximum(before, 0)):
        inside = np.isin(now, figure.inside)
        if figure.is_ring and inside.any():
            ring = before == figure.value
            places[ring | np.isin(before, figure.inside)] = 0
            places[carried_ring(inside, figure.outline & ~ring, ring)] = figure.value
            places[inside] = now[inside]
            moved.append(figure.value)
    return places, tuple(moved)


def carried_ring(inside: Mask, was_inside: Mask, ring: Mask) -> Mask:
    """Everything within the thickness of a ring around what lies inside now."""
    outermost = ring & ndimage.binary_dilation(~(was_inside | ring))
    thickness = ndimage.distance_transform_edt(~was_inside)[outermost if outermost.any() else ring]
    new: Mask = (ndimage.distance_transform_edt(~inside) <= float(thickness.mean())) & ~inside
    return new
