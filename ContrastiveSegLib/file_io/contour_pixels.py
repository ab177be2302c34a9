"""Which pixels a contour holds: those with their centers inside, and those with their centers on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CENTER = 0.001  # voxels: a point so near to a center lies in it, since places are rounded
INSIDE = 1  # of what scikit-image calls a pixel: outside, inside, vertex or edge

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.uint8]


def on_centers(places: Points) -> Points:
    """Points (N, 3), in voxels, of which those next to the center of a voxel, within its slice, lie in it."""
    whole = np.rint(places)
    near = np.abs(places - whole) < CENTER
    near[:, 2] = False
    return np.where(near, whole, places)


def pixels_within(contour: Points, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], Mask, Mask]:
    """The box of a slice that a contour (N, 2) lies in, which pixels there lie inside, and which on it."""
    from skimage.measure import grid_points_in_poly  # Slicer lists folders with this room, without skimage

    low = np.clip(np.floor(contour.min(0)), 0, shape).astype(int)
    high = np.clip(np.ceil(contour.max(0)) + 1, low, shape).astype(int)
    found = grid_points_in_poly(tuple(high - low), _with_all_centers(contour) - low, binarize=False)
    place = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    return place, (found == INSIDE).astype(np.uint8), (found > INSIDE).astype(np.uint8)


def _with_all_centers(contour: Points) -> Points:
    """A contour from center to center (N, 2), with each center on its way; any other as it is.

    Where a part is one pixel wide, the contour goes there and back, and its edges cancel one another out.
    """
    if (contour != np.rint(contour)).any():
        return contour
    ways = np.roll(contour, -1, axis=0) - contour
    steps = np.maximum(np.gcd(*ways.astype(int).T), 1)
    ends = zip(contour, ways, steps, strict=True)
    return np.concatenate([start + way * np.arange(n)[:, None] / n for start, way, n in ends])
