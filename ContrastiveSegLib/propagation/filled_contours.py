"""The filled contours of the structures in a slice, what lies inside of them, and their components.

Structures may be nested: the wall of the heart surrounds a chamber. A box around the wall makes every
promptable model find the chamber. So the model is asked for the filled contour, and what lies inside is taken
out afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import convex_hull_image

from ContrastiveSegLib.sam._model import Labels, Mask

# Another structure counts as nested if this share of it lies within the convex hull.
SURROUNDED = 0.8
# A hole that is smaller than this share of the contour is a flaw of the drawing.
SMALLEST_INSIDE = 0.1
TOUCHING = np.ones((3, 3), bool)


@dataclass(frozen=True, eq=False)
class FilledContour:
    """The contour of a structure in a slice, filled where it surrounds something.

    Args:
        value: Its label; negative: a hole that no structure fills.
        outline: (H, W), with everything that lies inside.
        inside: Values that are taken out of the outline.
    """

    value: int
    outline: Mask
    inside: tuple[int, ...] = ()

    @property
    def is_nested(self) -> bool:
        """Whether something lies inside."""
        return bool(self.inside)


def contours_in(labels: npt.NDArray[Any]) -> list[FilledContour]:
    """The contours of a label map (H, W), outer ones before those they surround."""
    masks = {int(value): labels == value for value in np.unique(labels) if value > 0}
    contours: list[FilledContour] = []
    for value, mask in masks.items():
        contours += _contours_of(value, mask, {v: m for v, m in masks.items() if v != value})
    return sorted(contours, key=lambda one: (-len(one.inside), -int(one.outline.sum()), one.value))


def label_map(masks: Mapping[int, Mask]) -> Labels:
    """Masks (H, W) as one label map; they do not overlap."""
    labels = np.zeros(next(iter(masks.values())).shape, np.int32)
    for value, mask in masks.items():
        labels[mask] = value
    return labels


def components_of(outline: Mask) -> list[Mask]:
    """The connected components of (H, W), the largest first; pixels touch at a corner too."""
    numbered, count = ndimage.label(outline, TOUCHING)
    components: list[Mask] = [numbered == number for number in range(1, count + 1)]
    return sorted(components, key=lambda component: -int(component.sum()))


def _contours_of(value: int, mask: Mask, others: dict[int, Mask]) -> list[FilledContour]:
    """The contour of a structure, and that of its hole if no structure fills the hole."""
    hull = convex_hull_image(mask)
    inside = [v for v, other in others.items() if (other & hull).sum() >= SURROUNDED * other.sum()]
    # Of two that lie in each other's hull only the larger one is around the other.
    inside = [v for v in inside if (mask & convex_hull_image(others[v])).sum() < SURROUNDED * mask.sum()]
    outline: Mask = np.asarray(
        ndimage.binary_fill_holes(np.any([mask, *(others[v] for v in inside)], axis=0))
    )
    hole = outline & ~mask & ~np.any([*others.values(), np.zeros_like(mask)], axis=0)
    if not inside and hole.sum() >= SMALLEST_INSIDE * outline.sum():
        return [FilledContour(value, outline, (-value,)), FilledContour(-value, hole)]
    return [FilledContour(value, outline if inside else mask, tuple(inside))]
