"""UCTransNet: a transformer over channels fuses the four skips of a U-Net before the decoder sees them.

Source: Wang et al., UCTransNet, AAAI 2022, arXiv 2109.04335: channel-wise cross fusion (CCT) and channel-wise
cross attention (CCA), four layers of four heads. Here the U-Net is the one of `unet` with norm in its center,
and position embeddings are interpolated, so that any size that is a multiple of 16 will do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.networks.backbone import Backbone, check_fit
from ContrastiveSegLib.networks.unet import double_convolution

SKIPS = 4
LAYERS = 4
HEADS = 4
PLACES = 14  # side of the grid of position embeddings: that of the paper's images of 224 pixels


class Network(Backbone):
    """U-Net for slices whose skips are fused across levels; the fusion belongs to the encoder."""

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
        self.widths = tuple(base_channels * 2**level for level in range(SKIPS + 1))
        self.stride = (2**SKIPS,) * 2
        check_fit(self, spatial_dims, pools)
        self.encoder = Encoder(in_channels, self.widths)
        self.decoder = nn.ModuleList(
            DecoderBlock(deep, shallow)
            for deep, shallow in zip(self.widths[:0:-1], self.widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(base_channels, classes, 1)


class Encoder(nn.Module):
    """Double convolutions with pooling between them; all but the deepest features are fused."""

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        channels = (in_channels, *widths)
        self.blocks = nn.ModuleList(
            double_convolution(inside, outside, 2) for inside, outside in itertools.pairwise(channels)
        )
        self.fusion = CrossFusion(widths[:-1])

    def forward(self, images: Tensor) -> list[Tensor]:
        features = [self.blocks[0](images)]
        for block in self.blocks[1:]:
            features.append(block(F.max_pool2d(features[-1], 2)))
        return [*self.fusion(features[:-1]), features[-1]]


class CrossFusion(nn.Module):
    """CCT: every skip becomes as many tokens, the channels of all levels attend to each other, and back.

    The fused tokens are added to their skip, because nothing finer than a patch is left in them.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.patches = tuple(2 ** (SKIPS - level) for level in range(SKIPS))  # 16, 8, 4, 2
        self.embed = nn.ModuleList(
            nn.Conv2d(width, width, patch, stride=patch)
            for width, patch in zip(widths, self.patches, strict=True)
        )
        self.places = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(1, width, PLACES, PLACES)) for width in widths
        )
        self.layers = nn.ModuleList(FusionLayer(widths) for _ in range(LAYERS))
        self.rebuild = nn.ModuleList(
            # 3 wide rather than 1, to smooth the borders between enlarged patches.
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
            for width in widths
        )

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        maps = [embed(skip) for embed, skip in zip(self.embed, skips, strict=True)]  # all (B, C_level, *grid)
        grid = maps[0].shape[2:]
        tokens = [
            (found + F.interpolate(places, grid, mode="bilinear")).flatten(2).mT  # (B, T, C_level)
            for found, places in zip(maps, self.places, strict=True)
        ]
        for layer in self.layers:
            tokens = layer(tokens)
        return [
            skip + rebuild(F.interpolate(fused.mT.unflatten(2, grid), scale_factor=patch))
            for skip, rebuild, fused, patch in zip(skips, self.rebuild, tokens, self.patches, strict=True)
        ]


class FusionLayer(nn.Module):
    """One transformer layer: queries of each level, keys and values of all levels together."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        everything = sum(widths)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.norm_all = nn.LayerNorm(everything)
        self.queries = nn.ModuleList(nn.Linear(width, HEADS * width, bias=False) for width in widths)
        self.keys = nn.Linear(everything, HEADS * everything, bias=False)
        self.values = nn.Linear(everything, HEADS * everything, bias=False)
        self.mlps = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )
            for width in widths
        )

    def forward(self, tokens: Sequence[Tensor]) -> list[Tensor]:
        """Tokens of each level, (B, T, C_level) each, to the same shapes."""
        everything = self.norm_all(torch.cat(list(tokens), dim=2))
        keys, values = _heads(self.keys(everything)), _heads(self.values(everything))
        fused = []
        for level, norm, query, mlp in zip(tokens, self.norms, self.queries, self.mlps, strict=True):
            attended = level + attend_to_channels(_heads(query(norm(level))), keys, values)
            fused.append(attended + mlp(attended))
        return fused


class DecoderBlock(nn.Module):
    """CCA: the averages of skip and deep features decide how much of each channel of the skip passes."""

    def __init__(self, deep: int, shallow: int) -> None:
        super().__init__()
        self.by_skip, self.by_deep = nn.Linear(shallow, shallow), nn.Linear(deep, shallow)
        self.convolve = double_convolution(deep + shallow, shallow, 2)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        passing = self.by_skip(skip.mean((2, 3))) + self.by_deep(deep.mean((2, 3)))  # (B, C)
        gated = skip * passing.sigmoid()[..., None, None]
        return cast("Tensor", self.convolve(torch.cat([gated, F.interpolate(deep, scale_factor=2)], dim=1)))


def attend_to_channels(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention whose items are channels, described by their values at all tokens.

    Similarities are normalized per head, because over many tokens they would differ too much for a softmax.

    Args:
        queries: (B, N, T, C) for N heads, T tokens and the C channels of one level.
        keys: (B, N, T, S) with the S channels of all levels.
        values: (B, N, T, S).

    Returns:
        (B, T, C), the mean over heads.
    """
    similarities = queries.mT @ keys / math.sqrt(keys.shape[-1])  # (B, N, C, S)
    attention = F.instance_norm(similarities).softmax(-1)
    return (attention @ values.mT).mean(1).mT


def _heads(tokens: Tensor) -> Tensor:
    """(B, T, N * C) to (B, N, T, C)."""
    return tokens.unflatten(2, (HEADS, -1)).transpose(1, 2)
