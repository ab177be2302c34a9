"""Rolling-UNet: the deep levels roll their channels apart and mix them, so that one step sees whole lines.

Source: Liu et al., Rolling-Unet, AAAI 2024, doi 10.1609/aaai.v38i4.28173. The fourth level, down and up, and
the bottleneck are a feature incentive block and a Lo2 block; the other levels and the joining of skips are
those of `unet`. As the paper says, a Lo2 block has about as many weights as a 3 x 3 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ContrastiveSegLib.networks import unet
from ContrastiveSegLib.networks.backbone import Backbone, Stages, check_fit

LEVELS = 4
ROWS, COLUMNS = 2, 3  # axes of (B, C, H, W)


class Network(Backbone):
    """U-Net for slices with long-distance mixing where the features are small."""

    dims = (2,)

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
        self.widths = tuple(base_channels * 2**level for level in range(LEVELS + 1))
        self.stride = (2**LEVELS,) * 2
        check_fit(self, spatial_dims, pools)
        first, second, third, fourth, center = self.widths
        self.encoder = Stages(
            [
                unet.double_convolution(in_channels, first, 2),
                nn.Sequential(nn.MaxPool2d(2), unet.double_convolution(first, second, 2)),
                nn.Sequential(nn.MaxPool2d(2), unet.double_convolution(second, third, 2)),
                nn.Sequential(nn.MaxPool2d(2), long_and_local(third, fourth)),
                nn.Sequential(nn.MaxPool2d(2), long_and_local(fourth, center)),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                DeepDecoderBlock(center, fourth),
                unet.DecoderBlock(fourth, third, (2, 2)),
                unet.DecoderBlock(third, second, (2, 2)),
                unet.DecoderBlock(second, first, (2, 2)),
            ]
        )
        self.head = nn.Conv2d(base_channels, classes, 1)


class DeepDecoderBlock(nn.Module):
    """Enlarge the deep features, join them with the skip, mix near and far."""

    def __init__(self, deep: int, shallow: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(deep, shallow, 2, stride=2)
        self.mix = long_and_local(2 * shallow, shallow)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        return self.mix(torch.cat([skip, self.up(deep)], dim=1))


class LongLocal(nn.Module):
    """Lo2: rolled mixing for the distance and a depthwise separable convolution for the surroundings."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.far = DoubleOrthogonal(width)
        self.near = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1)
        )
        self.mix = nn.Conv2d(2 * width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        normed = self.norm(features.movedim(1, -1)).movedim(-1, 1)
        return features + self.mix(torch.cat([self.far(normed), self.near(normed)], dim=1))


class DoubleOrthogonal(nn.Module):
    """DOR-MLP: two orthogonal pairs of rollings side by side, so that both diagonals are seen."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.falling = nn.Sequential(RollingMLP(width, COLUMNS, 1), nn.GELU(), RollingMLP(width, ROWS, 1))
        self.rising = nn.Sequential(RollingMLP(width, ROWS, 1), nn.GELU(), RollingMLP(width, COLUMNS, -1))
        self.mix = nn.Conv2d(2 * width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        both = [features + self.falling(features), features + self.rising(features)]
        return self.mix(torch.cat(both, dim=1))


class RollingMLP(nn.Module):
    """R-MLP: roll the channels along one axis, then mix them at each place."""

    def __init__(self, width: int, axis: int, step: int) -> None:
        super().__init__()
        self.axis, self.step = axis, step
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.mix(roll_channels(features, self.axis, self.step))


def roll_channels(features: Tensor, axis: int, step: int) -> Tensor:
    """Move channel c of (B, C, H, W) by c * step places along the axis; what leaves comes in opposite."""
    channels, length = features.shape[1], features.shape[axis]
    shifts = torch.arange(channels, device=features.device) * step
    origins = (torch.arange(length, device=features.device) - shifts[:, None]) % length  # (C, length)
    shape = [1, channels, 1, 1]
    shape[axis] = length
    return features.gather(axis, origins.view(shape).expand_as(features))


def long_and_local(inside: int, outside: int) -> nn.Sequential:
    """A convolution that brings the channels (the feature incentive block), then Lo2."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
        LongLocal(outside),
    )
