"""Positive pairs: boolean masks (B, B) from identity, slice position and part of the body."""

from __future__ import annotations

import torch
from torch import Tensor


def same_image(slice_positions: Tensor) -> Tensor:
    """Each image attracts only its own other view: (B,) to (B, B).

    Source: Chen et al., SimCLR, ICML 2020, arXiv 2002.05709.
    """
    return torch.eye(len(slice_positions), dtype=torch.bool, device=slice_positions.device)


def near_slice_position(slice_positions: Tensor, *, threshold: float) -> Tensor:
    """Images with similar slice positions are positives, across all volumes: (B,) to (B, B).

    Args:
        slice_positions: 0 at one end of the volume, 1 at the other; NaN where unknown (then only itself).
        threshold: Slice positions that differ by less than this are positives.

    Source: Zeng et al., Positional contrastive learning, MICCAI 2021, arXiv 2106.09157.
    """
    return ((slice_positions[:, None] - slice_positions[None, :]).abs() < threshold) | same_image(
        slice_positions
    )


def same_part(slice_positions: Tensor, *, parts: int) -> Tensor:
    """Images of the same part of the body are positives, across all volumes: (B,) to (B, B).

    Args:
        slice_positions: (i + 1) / n of slice i of n. The volume is cut into `parts` equal parts. The
            authors' code rounds the slices per part first, so that of 10 slices the last of four parts has 4.

    Source: Chaitanya et al., Contrastive learning of global and local features, NeurIPS 2020,
    arXiv 2006.10511.
    """
    # Slice positions are (i + 1) / n: the last slice of the first of four parts has 1/4, nearly in float32.
    part = (slice_positions * parts - 1e-4).floor().clamp(0, parts - 1)
    return (part[:, None] == part[None, :]) | same_image(slice_positions)


def two_views(positives: Tensor) -> Tensor:
    """Repeat a mask of images (B, B) for rows ordered [first views; second views]: (2B, 2B)."""
    return positives.repeat(2, 2)
