"""U-KAN: a convolutional U whose deep levels pass every channel through learned curves instead of weights.

Source: Li et al., U-KAN, AAAI 2025, arXiv 2406.02918; the layer: Liu et al., KAN, ICLR 2025, arXiv
2404.19756, with cubic B-splines on five intervals of -1...1. With 16 base channels all widths are the
paper's, and so are its 6.36 million parameters but for some layer norms. The first level, before any pooling,
gives no skip, as in the paper.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.networks.backbone import Backbone, Stages, check_fit

HALVINGS = 5
KAN_LAYERS = 3
INTERVALS = 5
ORDER = 3
CHANNELS = (1, 1, 2, 8, 10, 16)  # of each level, in base channels


class Network(Backbone):
    """Three convolutional stages, two tokenized KAN stages, and the same way back; for slices."""

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
        self.stride = (2**HALVINGS,) * 2
        check_fit(self, spatial_dims, pools)
        self.widths = tuple(base_channels * factor for factor in CHANNELS)
        first, _, second, third, fourth, fifth = self.widths
        self.encoder = Stages(
            [
                convolutions(in_channels, first, first),
                nn.MaxPool2d(2),
                nn.Sequential(convolutions(first, second, second), nn.MaxPool2d(2)),
                nn.Sequential(convolutions(second, third, third), nn.MaxPool2d(2)),
                nn.Sequential(nn.Conv2d(third, fourth, 3, stride=2, padding=1), KANBlock(fourth)),
                nn.Sequential(nn.Conv2d(fourth, fifth, 3, stride=2, padding=1), KANBlock(fifth)),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                DecoderBlock(fifth, fourth, KANBlock(fourth)),
                DecoderBlock(fourth, third, KANBlock(third)),
                DecoderBlock(third, second, nn.Identity()),
                DecoderBlock(second, first, nn.Identity()),
                LastBlock(first),
            ]
        )
        self.head = nn.Conv2d(base_channels, classes, 1)


class DecoderBlock(nn.Module):
    """Convolve the deep features, enlarge them, add the skip, refine."""

    def __init__(self, deep: int, shallow: int, refine: nn.Module) -> None:
        super().__init__()
        self.convolve = convolutions(deep, deep, shallow)
        self.refine = refine

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        return self.refine(_enlarged(self.convolve(deep)) + skip)


class LastBlock(nn.Module):
    """The step to full resolution, which has no skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolve = convolutions(width, width, width)

    def forward(self, deep: Tensor, _: Tensor) -> Tensor:
        return _enlarged(self.convolve(deep))


class KANBlock(nn.Module):
    """KAN layers over the channels of each place, each followed by a look at its neighbors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.curves = nn.ModuleList(SplineLayer(width, width) for _ in range(KAN_LAYERS))
        self.neighbors = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, groups=width),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for _ in range(KAN_LAYERS)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        found = features
        for curves, neighbors in zip(self.curves, self.neighbors, strict=True):
            found = neighbors(curves(found.movedim(1, -1)).movedim(-1, 1))
        return self.norm((features + found).movedim(1, -1)).movedim(-1, 1)


class SplineLayer(nn.Module):
    """Every output is a sum of learned curves, one per input: a weighted SiLU plus a weighted spline."""

    knots: Tensor

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.base = nn.Linear(inside, outside, bias=False)
        self.weight = nn.Parameter(torch.ones(outside, inside))
        self.coefficients = nn.Parameter(0.1 * torch.randn(outside, inside, INTERVALS + ORDER))
        steps = torch.arange(-ORDER, INTERVALS + ORDER + 1)
        self.register_buffer("knots", steps * (2 / INTERVALS) - 1, persistent=False)
        nn.init.xavier_normal_(self.base.weight)

    def forward(self, values: Tensor) -> Tensor:
        """(..., inside) to (..., outside)."""
        bases = spline_bases(values.float(), self.knots)
        curves = self.weight[..., None] * self.coefficients
        return self.base(F.silu(values)) + F.linear(bases.flatten(-2), curves.flatten(1))


def spline_bases(values: Tensor, knots: Tensor) -> Tensor:
    """All cubic B-splines on these knots at each value, by the recursion of Cox and de Boor.

    Returns:
        (..., number of knots - 4); zeros for values outside the knots.
    """
    values = values[..., None]
    bases = ((values >= knots[:-1]) & (values < knots[1:])).to(values.dtype)
    for order in range(1, ORDER + 1):
        rising = (values - knots[: -order - 1]) / (knots[order:-1] - knots[: -order - 1])
        falling = (knots[order + 1 :] - values) / (knots[order + 1 :] - knots[1:-order])
        bases = rising * bases[..., :-1] + falling * bases[..., 1:]
    return bases


def convolutions(*channels: int) -> nn.Sequential:
    """From each number of channels to the next: convolution 3, batch norm, ReLU."""
    layers: list[nn.Module] = []
    for inside, outside in itertools.pairwise(channels):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _enlarged(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
