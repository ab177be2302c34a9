"""What a pre-trained encoder sees in every slice of a case, made comparable over a whole collection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ContrastiveSegLib.inference.sliding_window import PIXELS_AT_ONCE
from ContrastiveSegLib.networks.backbone import Backbone

Features = npt.NDArray[np.float32]

THIRDS = 3  # of a volume along its slices: apex and base of a heart differ more than two hearts do


def slice_features(
    network: Backbone, images: npt.NDArray[Any], patch: Sequence[int], device: torch.device
) -> Features:
    """The deepest features of each slice, averaged over the plane.

    The network looks at the middle of the slice, as much of it as a patch shows, because that is where
    pre-training looked; averaged over whole slices of ACDC the features said nothing about the heart.

    A 3D network sees slabs as high as its patch. There a "slice" is still one slice of the working grid, and
    its features are those of the part of the slab it lies in, so that neighboring slices may share them.

    Args:
        network: In evaluation mode, on the device.
        images: (C, K, H, W), as prepared.
        patch: What the network learned from: (H, W) or (K, H, W).

    Returns:
        (K, D)
    """
    middle = _middle(torch.from_numpy(np.array(images, np.float32)), patch[-2:])
    with torch.inference_mode():
        if len(patch) == 2:
            group = max(1, PIXELS_AT_ONCE // math.prod(patch))
            parts = middle.movedim(1, 0).split(group)  # (B, C, H, W) each
            found = [network.encode(part.to(device))[-1].mean((2, 3)) for part in parts]
        else:
            found = [_of_slab(network, slab.to(device), patch[0]) for slab in middle.split(patch[0], dim=1)]
    return np.asarray(torch.cat(found).float().cpu().numpy(), np.float32)


def comparable(features: Sequence[Features]) -> list[Features]:
    """Features of several cases (K, D) on one scale: directions, seen from their mean, at most 1 long.

    Averaged features are nearly parallel; what tells slices apart is how their directions differ. Distances
    are those between directions. To give each channel the same spread said less about the heart in ACDC.
    """
    directions = [each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in features]
    everything = np.concatenate(directions)
    mean = everything.mean(0)
    longest = max(float(np.linalg.norm(everything - mean, axis=1).max()), 1e-12)
    return [np.asarray((each - mean) / longest, np.float32) for each in directions]


def case_feature(slices: Features) -> Features:
    """One vector (3 D,) for a case: the mean slice of its lowest, middle and highest third."""
    thirds = F.adaptive_avg_pool1d(torch.from_numpy(np.ascontiguousarray(slices.T)), THIRDS)  # (D, 3)
    return np.asarray(thirds.numpy().T.ravel() / math.sqrt(THIRDS), np.float32)


def _of_slab(network: Backbone, slab: Tensor, height: int) -> Tensor:
    """Features (k, D) of a slab (C, k, H, W); a short one repeats its highest slice."""
    slices = slab.shape[1]
    last = slab[:, -1:].expand(-1, height - slices, -1, -1)
    deep = network.encode(torch.cat([slab, last], dim=1)[None])[-1].mean((3, 4))  # (1, D, K / stride)
    return F.interpolate(deep, height, mode="nearest")[0].T[:slices]


def _middle(images: Tensor, sides: Sequence[int]) -> Tensor:
    """The middle of each slice; with air around it where the image is smaller."""
    high, wide = (max(0, side - n) for side, n in zip(sides, images.shape[-2:], strict=True))
    padded = F.pad(images, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
    top, left = ((n - side) // 2 for n, side in zip(padded.shape[-2:], sides, strict=True))
    return padded[..., top : top + sides[0], left : left + sides[1]]
