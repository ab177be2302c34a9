"""SLIC regions of a slice or a block: neighboring voxels of similar gray, computed once and kept.

Source: Achanta et al., SLIC superpixels, IEEE TPAMI 2012; 100 segments of compactness 10 as in SuperCL
(its specification, section 2.2).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2lab
from skimage.segmentation import slic

REGIONS_PER_PATCH = 100

# Published is a compactness of 10 on a gray image stacked as RGB, which scikit-image turns into CIELAB with
# lightness 0...100. On lightness divided by 100, 0.1 is the same at a third of the work.
COMPACTNESS = 0.1


def regions_of(
    image: npt.NDArray[Any], segments: int, *, spacing: Sequence[float] | None = None
) -> npt.NDArray[np.uint16]:
    """Superpixels of a slice, or supervoxels of a block.

    Args:
        image: (C, H, W) or (C, K, H, W), about 0...1; channels are averaged.
        segments: About how many; a flat image has fewer.
        spacing: Of a block, in mm (K, H, W).

    Returns:
        (H, W) or (K, H, W) uint16, numbered from 1.
    """
    gray = np.asarray(image, np.float32).mean(0)
    low, high = float(gray.min()), float(gray.max())
    if high <= low:
        return np.ones(gray.shape, np.uint16)
    regions = slic(
        lightness((gray - low) / (high - low)),
        n_segments=max(1, min(segments, np.iinfo(np.uint16).max)),
        compactness=COMPACTNESS,
        spacing=spacing,
        channel_axis=None,
        start_label=1,
    )
    numbered: npt.NDArray[np.uint16] = regions.astype(np.uint16)
    return numbered


def regions_of_slices(images: npt.NDArray[Any], segments: int) -> npt.NDArray[np.uint16]:
    """Superpixels of each slice of (C, K, H, W) by itself: (K, H, W) uint16, from 1 in each slice."""
    return np.stack([regions_of(images[:, k], segments) for k in range(images.shape[1])])


def lightness(gray: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """CIELAB lightness of gray values 0...1, scaled to 0...1."""
    return np.interp(gray, *_lightness_table()).astype(np.float32)


@functools.cache
def _lightness_table() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Gray values and their lightness; 4097 of them are finer than float16 between 1/4 and 1."""
    steps = np.linspace(0, 1, 4097, dtype=np.float32)
    return steps, rgb2lab(np.repeat(steps[:, None], 3, axis=1))[:, 0] / 100
