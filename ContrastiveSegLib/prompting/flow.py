"""Where the structures of a slice lie in the next one, as far as the gray values tell how everything moved.

Source: Zach et al., A duality based approach for realtime TV-L1 optical flow, DAGM 2007 (scikit-image's).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.registration import optical_flow_tvl1

from ContrastiveSegLib.prompting._model import Labels, Slice

# What is looked at around the structures.
AROUND_MM = 25.0


def moved_along(labels: Labels, before: Slice, now: Slice, pixel_mm: float) -> Labels:
    """Labels (H, W) of the slice before, moved to where they lie in this one.

    Returns:
        The labels as they were, if one of them would be lost on its way.
    """
    if not labels.any():
        return labels
    part = _around(labels, round(AROUND_MM / pixel_mm))
    came_from = optical_flow_tvl1(*(image[part].astype(np.float32) / 255 for image in (now, before)))
    moved = labels.copy()
    places = np.indices(came_from[0].shape) + came_from
    moved[part] = ndimage.map_coordinates(labels[part], places, order=0, mode="nearest")
    return moved if np.array_equal(np.unique(moved), np.unique(labels)) else labels


def _around(labels: Labels, margin: int) -> tuple[slice, ...]:
    """The part of a slice that shows the labels and so many pixels around them."""
    (found,) = ndimage.find_objects((labels != 0).astype(int))
    sizes = zip(found, labels.shape, strict=True)
    return tuple(slice(max(0, s.start - margin), min(size, s.stop + margin)) for s, size in sizes)
