"""nnU-Net's residual-encoder network: many residual blocks on the way down, one convolution on the way up.

Source: Isensee et al., nnU-Net revisited, MICCAI 2024, arXiv 2404.09556 (ResEnc presets): 1, 3, 4, 6, 6
blocks in five stages. MONAI's UnetResBlock shrinks the shortcut by a strided convolution, where nnU-Net
averages first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.networks.blocks.dynunet_block import UnetResBlock, get_conv_layer
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from ContrastiveSegLib.networks.backbone import Backbone, Stages
from ContrastiveSegLib.networks.nnunet_parts import (
    ACTIVATION,
    KERNEL,
    LEVELS,
    NORM,
    DeepHead,
    capped_widths,
    deep_scores,
)

BLOCKS = (1, 3, 4, 6, 6)


class Network(Backbone):
    """A stem, five stages of residual blocks, and a light decoder with deep supervision."""

    smallest_deepest = 2
    head: DeepHead

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
        self.widths = capped_widths(base_channels, LEVELS + 1, spatial_dims)
        self.stride = tuple(math.prod(axis) for axis in zip(*pools, strict=True))
        channels, steps = (base_channels, *self.widths), ((1,) * spatial_dims, *pools)
        stages = [
            residual_stage(inside, outside, step, blocks)
            for inside, outside, step, blocks in zip(channels[:-1], channels[1:], steps, BLOCKS, strict=True)
        ]
        stages[0].insert(0, convolution(in_channels, base_channels, spatial_dims))
        self.encoder = Stages(stages)
        self.decoder = nn.ModuleList(
            DecoderBlock(deep, shallow, pool)
            for deep, shallow, pool in zip(self.widths[:0:-1], self.widths[-2::-1], pools[::-1], strict=True)
        )
        self.head = DeepHead(spatial_dims, self.widths, classes)
        self.apply(DynUNet.initialize_weights)

    def scores_at_every_level(self, features: Sequence[Tensor]) -> list[Tensor]:
        return deep_scores(self, self.head, features)


class DecoderBlock(nn.Module):
    """Enlarge the deep features, join them with the skip, convolve once."""

    def __init__(self, deep: int, shallow: int, pool: Sequence[int]) -> None:
        super().__init__()
        dims = len(pool)
        self.up = get_conv_layer(dims, deep, shallow, pool, pool, is_transposed=True)
        self.convolve = convolution(2 * shallow, shallow, dims)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        return self.convolve(torch.cat([self.up(deep), skip], dim=1))


def residual_stage(inside: int, outside: int, step: Sequence[int], blocks: int) -> nn.Sequential:
    """Residual blocks of two convolutions each; the first one shrinks and widens."""
    dims = len(step)
    return nn.Sequential(
        UnetResBlock(dims, inside, outside, KERNEL, step, NORM),
        *(UnetResBlock(dims, outside, outside, KERNEL, 1, NORM) for _ in range(blocks - 1)),
    )


def convolution(inside: int, outside: int, dims: int) -> nn.Module:
    """Convolution, instance norm, leaky ReLU."""
    return get_conv_layer(dims, inside, outside, KERNEL, act=ACTIVATION, norm=NORM, conv_only=False)
