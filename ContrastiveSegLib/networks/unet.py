"""U-Net of the papers: batch norm, leaky ReLU, a center without norm; in 2D and 3D.

Source: MACL, IEEE JBHI 2026, arXiv 2309.11876, appendix A. With 32 base channels in 2D the encoder has
4 713 568 parameters for one channel, and the whole network 7 763 456 for four classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ContrastiveSegLib.networks.backbone import Backbone

LEVELS = 4
SLOPE = 0.01
CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
UP: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


class Network(Backbone):
    """U-Net with four poolings; the channels double at every level."""

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
        self.encoder = Encoder(in_channels, self.widths, pools)
        self.decoder = nn.ModuleList(
            DecoderBlock(deep, shallow, pool)
            for deep, shallow, pool in zip(self.widths[:0:-1], self.widths[-2::-1], pools[::-1], strict=True)
        )
        self.head = CONV[spatial_dims](base_channels, classes, 1, bias=False)
        self.apply(_he_normal)


class Encoder(nn.Module):
    """Four double convolutions with pooling between them, and a center without norm."""

    def __init__(self, in_channels: int, widths: Sequence[int], pools: Sequence[Sequence[int]]) -> None:
        super().__init__()
        dims = len(pools[0])
        channels = (in_channels, *widths)
        self.blocks = nn.ModuleList(
            double_convolution(channels[level], channels[level + 1], dims) for level in range(LEVELS)
        )
        self.pools = nn.ModuleList(POOL[dims](tuple(pool)) for pool in pools)
        self.center = nn.Sequential(
            CONV[dims](widths[-2], widths[-1], 3, padding=1),
            nn.ReLU(inplace=True),
            CONV[dims](widths[-1], widths[-1], 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        features, current = [], images
        for block, pool in zip(self.blocks, self.pools, strict=True):
            features.append(block(current))
            current = pool(features[-1])
        return [*features, self.center(current)]


class DecoderBlock(nn.Module):
    """Enlarge the deep features, join them with the skip, convolve twice."""

    def __init__(self, deep: int, shallow: int, pool: Sequence[int]) -> None:
        super().__init__()
        dims = len(pool)
        self.up = UP[dims](deep, shallow, tuple(pool), stride=tuple(pool))
        self.convolve = double_convolution(2 * shallow, shallow, dims)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        return self.convolve(torch.cat([skip, self.up(deep)], dim=1))


def double_convolution(inside: int, outside: int, dims: int) -> nn.Sequential:
    """Twice: convolution 3, batch norm, leaky ReLU."""
    return nn.Sequential(
        CONV[dims](inside, outside, 3, padding=1),
        NORM[dims](outside),
        nn.LeakyReLU(SLOPE, inplace=True),
        CONV[dims](outside, outside, 3, padding=1),
        NORM[dims](outside),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def _he_normal(module: nn.Module) -> None:
    """He-normal weights for leaky ReLU and zero biases (docs/methods/index.md)."""
    if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        nn.init.kaiming_normal_(module.weight, a=SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
