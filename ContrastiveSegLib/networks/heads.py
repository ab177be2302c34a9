"""Small projectors and predictors that exist only during pre-training, in float32 whatever surrounds them.

Averages over space hardly differ between images at first; bfloat16 would round the difference away, and
contrastive learning would start, and stay, collapsed.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def average(features: Tensor) -> Tensor:
    """Mean over space: (B, D, *S) to (B, D), in float32."""
    return features.float().flatten(2).mean(-1)


class Mlp(nn.Module):
    """Two linear layers with a ReLU between them: (N, inside) to (N, outside)."""

    def __init__(self, inside: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inside, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, outside),
        )

    def forward(self, rows: Tensor) -> Tensor:
        with torch.autocast(rows.device.type, enabled=False):
            return self.layers(rows.float())


class ImageProjector(Mlp):
    """Average the deepest features over space, then two linear layers with a ReLU between them.

    Source: docs/methods/index.md (512-512-512).
    """

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D, *S) to (B, outside)."""
        return super().forward(average(features))


class PixelProjector(nn.Module):
    """Twice: convolution 3, batch norm, leaky ReLU: (B, inside, *S) to (B, outside, *S).

    Source: docs/methods/macl.md (512-128-128).
    """

    def __init__(self, inside: int, outside: int, dims: int) -> None:
        super().__init__()
        channels = (inside, outside, outside)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [CONV[dims](before, after, 3, padding=1), NORM[dims](after), nn.LeakyReLU(0.01)]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class PixelMlp(nn.Module):
    """The same two linear layers at every pixel: (B, inside, *S) to (B, outside, *S).

    Source: Wang et al., DenseCL, CVPR 2021, arXiv 2011.09157, section 3.2.
    """

    def __init__(self, inside: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.mlp = Mlp(inside, hidden, outside)

    def forward(self, features: Tensor) -> Tensor:
        return self.mlp(features.movedim(1, -1)).movedim(-1, 1)


class Prototypes(nn.Module):
    """Cosine with learned directions: rows (N, D) to scores (N, count)."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.directions = nn.Parameter(F.normalize(torch.randn(count, width), dim=1))

    def forward(self, rows: Tensor, *, frozen: bool = False) -> Tensor:
        directions = self.directions.detach() if frozen else self.directions
        with torch.autocast(rows.device.type, enabled=False):
            return F.normalize(rows.float(), dim=1) @ F.normalize(directions, dim=1).T
