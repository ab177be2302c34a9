"""SLIC regions of a slice or a block: neighboring voxels of similar gray, computed once and kept.

Source: Achanta et al., SLIC superpixels, IEEE TPAMI 2012; 100 segments of compactness 10 as in SuperCL
(docs/methods/supercl.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.segmentation import slic

REGIONS_PER_PATCH = 100

# Of an image stacked as RGB, which scikit-image turns into CIELAB with lightness 0...100. On gray values
# 0...1 the same number would give little more than a regular grid.
COMPACTNESS = 10.0


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
    if gray.min() == gray.max():
        return np.ones(gray.shape, np.uint16)
    regions = slic(
        np.repeat(gray[..., None], 3, axis=-1),
        n_segments=max(1, min(segments, np.iinfo(np.uint16).max)),
        compactness=COMPACTNESS,
        spacing=spacing,
        start_label=1,
    )
    numbered: npt.NDArray[np.uint16] = regions.astype(np.uint16)
    return numbered


def regions_of_slices(images: npt.NDArray[Any], segments: int) -> npt.NDArray[np.uint16]:
    """Superpixels of each slice of (C, K, H, W) by itself: (K, H, W) uint16, from 1 in each slice."""
    return np.stack([regions_of(images[:, k], segments) for k in range(images.shape[1])])
