"""Where the structures of a slice lie in the next one, as far as the gray values tell how everything moved.

Source: Zach et al., A duality based approach for realtime TV-L1 optical flow, DAGM 2007 (scikit-image's).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.registration import optical_flow_tvl1
from skimage.transform import resize

from ContrastiveSegLib.sam._model import Labels, Slice

# What is looked at around the structures, and the longest side of the image that the flow is computed on, in
# pixels: it is smooth, and a large one would take seconds.
AROUND_MM, LONGEST = 25.0, 256


def moved_along(labels: Labels, before: Slice, now: Slice, pixel_mm: float) -> Labels:
    """Labels (H, W) of the slice before, moved to where they lie in this one.

    Returns:
        The labels as they were, if one of them would be lost on its way.
    """
    if not labels.any():
        return labels
    part = _around(labels, round(AROUND_MM / pixel_mm))
    moved = labels.copy()
    places = np.indices(labels[part].shape) + _came_from(before[part], now[part])
    moved[part] = ndimage.map_coordinates(labels[part], places, order=0, mode="nearest")
    return moved if np.array_equal(np.unique(moved), np.unique(labels)) else labels


def _came_from(before: Slice, now: Slice) -> npt.NDArray[np.float32]:
    """(2, H, W): how many rows and columns away each pixel of this slice was in the slice before."""
    shrinking = min(1.0, LONGEST / max(now.shape))
    small = [round(side * shrinking) for side in now.shape]
    if min(small) < 2:  # a line has no gradient across
        return np.zeros((2, *now.shape), np.float32)
    images = [resize(image.astype(np.float32) / 255, small, anti_aliasing=True) for image in (now, before)]
    flow = optical_flow_tvl1(*images)
    whole: npt.NDArray[np.float32] = resize(flow / shrinking, (2, *now.shape)).astype(np.float32)
    return whole


def _around(labels: Labels, margin: int) -> tuple[slice, ...]:
    """The part of a slice that shows the labels and so many pixels around them."""
    (found,) = ndimage.find_objects((labels != 0).astype(int))
    sizes = zip(found, labels.shape, strict=True)
    return tuple(slice(max(0, s.start - margin), min(size, s.stop + margin)) for s, size in sizes)
