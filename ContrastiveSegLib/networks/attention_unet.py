"""Attention U-Net: gates weigh each skip by what the deeper level found, place by place.

Source: Oktay et al., Attention U-Net: learning where to look for the pancreas, MIDL 2018, arXiv 1804.03999,
as built by MONAI: strided convolutions instead of pooling, gates at all four skips, and gating features that
are enlarged before the gate, so that its map needs no interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.blocks import Convolution
from monai.networks.nets.attentionunet import AttentionBlock, ConvBlock, UpConv
from torch import Tensor, nn

from ContrastiveSegLib.networks.backbone import Backbone, Stages

LEVELS = 4


class Network(Backbone):
    """Double convolutions with batch norm on the way down, a gate before each merge on the way up."""

    def __init__(
        self,
        *,
        in_channels: int = 1,
        classes: int = 2,
        base_channels: int = 32,
        spatial_dims: int = 2,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        pools = tuple(tuple(p) for p in pools) if pools else ((2,) * spatial_dims,) * LEVELS
        self.widths = tuple(base_channels * 2**level for level in range(LEVELS + 1))
        self.stride = tuple(math.prod(axis) for axis in zip(*pools, strict=True))
        channels, steps = (in_channels, *self.widths), ((1,) * spatial_dims, *pools)
        stage: Any = ConvBlock  # takes one stride per axis, though typed as one number
        self.encoder = Stages(
            stage(spatial_dims, inside, outside, strides=step)
            for inside, outside, step in zip(channels[:-1], channels[1:], steps, strict=True)
        )
        self.decoder = nn.ModuleList(
            DecoderBlock(deep, shallow, pool)
            for deep, shallow, pool in zip(self.widths[:0:-1], self.widths[-2::-1], pools[::-1], strict=True)
        )
        self.head = Convolution(
            spatial_dims, base_channels, classes, kernel_size=1, padding=0, conv_only=True
        )


class DecoderBlock(nn.Module):
    """Enlarge the deep features, let them gate the skip, merge both."""

    def __init__(self, deep: int, shallow: int, pool: Sequence[int]) -> None:
        super().__init__()
        dims = len(pool)
        self.up = UpConv(dims, deep, shallow, strides=tuple(pool))
        self.gate = AttentionBlock(dims, f_int=shallow // 2, f_g=shallow, f_l=shallow)
        self.merge = Convolution(dims, 2 * shallow, shallow)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        enlarged = self.up(deep)
        return self.merge(torch.cat([self.gate(g=enlarged, x=skip), enlarged], dim=1))
