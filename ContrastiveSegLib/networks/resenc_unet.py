"""nnU-Net's ResEnc-L with its exact parameters: six stages of residual blocks, and a light decoder.

Source: Isensee et al., nnU-Net revisited, MICCAI 2024, arXiv 2404.09556. Its encoder names tensors as in
dynamic-network-architectures 0.4 (ResidualEncoderUNet), so that its weights can be loaded and handed on.
`residual_unet` has one stage less and another shortcut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.nnunet_parts import LEVELS, DeepHead, capped_widths, deep_scores
from ContrastiveSegLib.networks.unet import CONV, UP

BLOCKS = (1, 3, 4, 6, 6, 6)
NORM = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
POOL = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class Network(Backbone):
    """A stem, six stages, and one convolution per decoder level with deep supervision.

    Four `pools` come from the patch; an axis that the last of them halves is halved once more.
    """

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
        pools = steps_of(pools, spatial_dims)[1:]
        self.widths = capped_widths(base_channels, len(BLOCKS), spatial_dims)
        self.stride = tuple(math.prod(axis) for axis in zip(*pools, strict=True))
        self.encoder = Encoder(in_channels, self.widths, pools)
        self.decoder = nn.ModuleList(
            DecoderBlock(deep, shallow, pool)
            for deep, shallow, pool in zip(self.widths[:0:-1], self.widths[-2::-1], pools[::-1], strict=True)
        )
        self.head = DeepHead(spatial_dims, self.widths, classes)
        self.apply(DynUNet.initialize_weights)

    def scores_at_every_level(self, features: Sequence[Tensor]) -> list[Tensor]:
        return deep_scores(self, self.head, features)


def steps_of(pools: Sequence[Sequence[int]] | None, spatial_dims: int) -> tuple[tuple[int, ...], ...]:
    """How each stage shrinks its axes, the first not at all."""
    given = tuple(tuple(p) for p in pools) if pools else ((2,) * spatial_dims,) * LEVELS
    return ((1,) * spatial_dims, *given, given[-1])


class Encoder(nn.Module):
    """A convolution, then stages of residual blocks of which each but the first shrinks."""

    def __init__(self, in_channels: int, widths: Sequence[int], pools: Sequence[Sequence[int]]) -> None:
        super().__init__()
        dims = len(pools[0])
        steps = ((1,) * dims, *pools)
        self.stem = Stack(Convolution(in_channels, widths[0], (1,) * dims))
        inside = (widths[0], *widths)
        self.stages = nn.ModuleList(
            Stage(inside[level], width, step, blocks)
            for level, (width, step, blocks) in enumerate(zip(widths, steps, BLOCKS, strict=True))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        features = [self.stages[0](self.stem(images))]
        for stage in list(self.stages)[1:]:
            features.append(stage(features[-1]))
        return features


class Stack(nn.Module):
    """Convolutions one after the other."""

    def __init__(self, *convolutions: nn.Module) -> None:
        super().__init__()
        self.convs = nn.Sequential(*convolutions)

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.convs(features)
        return found


class Stage(nn.Module):
    """Residual blocks; the first one shrinks and widens."""

    def __init__(self, inside: int, outside: int, step: Any, blocks: int) -> None:
        super().__init__()
        once = (1,) * len(step)
        self.blocks = nn.Sequential(
            Block(inside, outside, step), *(Block(outside, outside, once) for _ in range(blocks - 1))
        )

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.blocks(features)
        return found


class Block(nn.Module):
    """Two convolutions beside a shortcut that averages before it is widened (ResNet-D)."""

    def __init__(self, inside: int, outside: int, step: Any) -> None:
        super().__init__()
        self.conv1 = Convolution(inside, outside, step)
        self.conv2 = Convolution(outside, outside, (1,) * len(step), acts=False)
        shrinks = max(step) > 1
        shortcut: list[nn.Module] = [POOL[len(step)](step, step)] if shrinks else []
        if inside != outside:
            shortcut.append(Convolution(inside, outside, (1,) * len(step), kernel=1, bias=False, acts=False))
        self.skip = nn.Sequential(*shortcut)
        self.nonlin2 = nn.LeakyReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.nonlin2(self.conv2(self.conv1(features)) + self.skip(features))
        return found


class Convolution(nn.Module):
    """Convolution, instance norm, and mostly leaky ReLU."""

    def __init__(
        self,
        inside: int,
        outside: int,
        step: Any,
        *,
        kernel: int = 3,
        bias: bool = True,
        acts: bool = True,
    ) -> None:
        super().__init__()
        dims = len(step)
        self.conv = CONV[dims](inside, outside, kernel, step, (kernel - 1) // 2, bias=bias)
        self.norm = NORM[dims](outside, affine=True)
        self.nonlin = nn.LeakyReLU(inplace=True) if acts else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.nonlin(self.norm(self.conv(features)))
        return found


class DecoderBlock(nn.Module):
    """Enlarge the deep features, join them with the skip, convolve once."""

    def __init__(self, deep: int, shallow: int, pool: Sequence[int]) -> None:
        super().__init__()
        dims = len(pool)
        self.up = UP[dims](deep, shallow, tuple(pool), stride=tuple(pool))
        self.stage = Stack(Convolution(2 * shallow, shallow, (1,) * dims))

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        found: Tensor = self.stage(torch.cat([self.up(deep), skip], dim=1))
        return found
