"""Histograms of gray values that a few dozen pixels suffice for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# So many bins, blurred by so many pixels before gray values are counted and by so many bins afterwards; every
# level keeps a small chance. Chosen on sixteen cardiac patients, and not critical.
BINS, BLUR_PIXELS, BLUR_BINS, FLOOR = 32, 0.7, 1.5, 1e-3
# What lies farther from all structures says nothing about their surroundings.
NEAR_MM = 25.0


def levels_of(image: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The bin of each pixel of a slice (H, W) with gray values 0...1."""
    blurred = ndimage.gaussian_filter(image.astype(np.float32), BLUR_PIXELS)
    bins: npt.NDArray[np.int64] = np.clip((blurred * BINS).astype(np.int64), 0, BINS - 1)
    return bins


def density_of(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How likely each bin is: (..., BINS) counts, each to the sum 1."""
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-9)
    blurred = ndimage.gaussian_filter1d(shares, BLUR_BINS, mode="nearest") + FLOOR
    density: npt.NDArray[np.float64] = blurred / blurred.sum(axis=-1, keepdims=True)
    return density
