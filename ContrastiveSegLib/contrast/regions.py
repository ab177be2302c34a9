"""Regions of an image on the grid of its features: which pixels belong together, and their averages.

Source: docs/methods/supercl.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import of_all, own
from ContrastiveSegLib.preprocessing.superpixels import REGIONS_PER_PATCH, regions_of


def superpixels_of(images: Tensor) -> Tensor:
    """Superpixels of images (B, C, *S) as they are, computed on the CPU: (B, *S)."""
    arrays = images.detach().float().cpu().numpy()
    maps = [torch.from_numpy(regions_of(array, REGIONS_PER_PATCH).astype("int64")) for array in arrays]
    return torch.stack(maps).to(images.device)


def on_feature_grid(regions: Tensor, size: Sequence[int]) -> Tensor:
    """Region numbers (B, *S) at the first pixel of each feature's cell: (B, *size)."""
    for axis, n in enumerate(size, start=1):
        index = torch.arange(n, device=regions.device) * regions.shape[axis] // n
        regions = regions.index_select(axis, index)
    return regions


def chosen_pixels(
    pixels: int, images: int, generator: Generator, *, how: Literal["all", "random"], count: int
) -> Tensor:
    """Which pixels of each image take part: indices (B, n).

    Args:
        how: "random": `count` of them, drawn anew for each image.
    """
    device = generator.device
    if how == "random" and count < pixels:
        drawn = torch.rand(of_all(images), pixels, generator=generator, device=device)
        return own(drawn).argsort(1)[:, :count]
    return torch.arange(pixels, device=device).expand(images, -1)


def same_region(regions: Tensor) -> Tensor:
    """Pixels of one region are positives: (B, n) to (B, n, n)."""
    return regions[:, :, None] == regions[:, None, :]


def average_structure(
    features: Tensor, regions: Tensor, *, divisor: Literal["image", "region"] = "image"
) -> Tensor:
    """What an image looks like when each region shows one value (average superpixel pooling): (B, N).

    Args:
        features: (B, D, *S).
        regions: (B, *S), any numbers from 0 on.
        divisor: The sum over a region is divided by the pixels of the whole image, as the authors' code and
            figure do, so that large regions weigh more; or by those of the region, as the name says.
    """
    with torch.autocast(features.device.type, enabled=False):
        values = features.float().mean(1).flatten(1)  # (B, N)
    where = regions.flatten(1)
    sums = values.new_zeros(len(values), int(where.max()) + 1).scatter_add_(1, where, values)
    if divisor == "region":
        sums = sums / torch.zeros_like(sums).scatter_add_(1, where, torch.ones_like(values)).clamp(min=1)
    else:
        sums = sums / values.shape[1]
    return sums.gather(1, where)


def pick_pixels(features: Tensor, index: Tensor) -> Tensor:
    """Features (B, D, *S) at the pixels (B, n): (B, n, D)."""
    rows = features.flatten(2).transpose(1, 2)
    return rows.gather(1, index[:, :, None].expand(-1, -1, rows.shape[2]))


def resized(features: Tensor, size: Sequence[int]) -> Tensor:
    """Features or images (B, D, *S) on another grid whose corner pixels stay where they are, linearly."""
    mode = "bilinear" if features.ndim == 4 else "trilinear"
    return F.interpolate(features, tuple(size), mode=mode, align_corners=True)
