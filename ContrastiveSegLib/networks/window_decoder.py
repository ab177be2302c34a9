"""A decoder of shifted-window attention for slices, beside the convolutional one of any network.

Source: Liu et al., Swin Transformer, ICCV 2021, arXiv 2103.14030, in MONAI's blocks; the shape of the decoder
from PCLMix, arXiv 2405.06288, docs/strategies/pclmix.md. It works at a quarter of the resolution and
coarser, as there, and enlarges four times at the end. Positions are known by their relative bias alone:
tables of absolute positions say little about patches that are cut anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.networks.nets.swin_unetr import SwinTransformerBlock, compute_mask, get_window_size
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = (8, 8)  # patches are multiples of 16 or 32; the 7 of the papers divides their 224
SHIFT = (4, 4)
HEAD_WIDTH = 16
THINNER = 2  # channels of the features per channel of their tokens; 8/3 in the paper
DROP_PATH = 0.1
FINEST = 2  # the level at a quarter of the resolution
ENLARGED = 2**FINEST
LAST_WIDTH = 16


class WindowDecoder(nn.Module):
    """Two attention blocks at each level, from the deepest to a quarter of the resolution.

    Args:
        widths: Channels of the features of `encode`, each level half of the size of the one before.
    """

    def __init__(self, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        used = widths[FINEST:]
        tokens = [math.ceil(width / THINNER / HEAD_WIDTH) * HEAD_WIDTH for width in used]
        self.embed = nn.ModuleList(nn.Linear(width, token) for width, token in zip(used, tokens, strict=True))
        self.deepest = WindowStage(tokens[-1])
        self.ups = nn.ModuleList(
            UpStage(deep, shallow) for deep, shallow in zip(tokens[:0:-1], tokens[-2::-1], strict=True)
        )
        self.expand = Expand(tokens[0], LAST_WIDTH, ENLARGED)
        self.head = nn.Linear(LAST_WIDTH, classes)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """[(B, D, H / 2^level, W / 2^level)], shallow to deep, to class scores (B, classes, H, W)."""
        levels = [
            embed(level.movedim(1, -1)) for embed, level in zip(self.embed, features[FINEST:], strict=True)
        ]  # (B, h, w, D)
        deep = self.deepest(levels[-1])
        for up, skip in zip(self.ups, levels[-2::-1], strict=True):
            deep = up(deep, skip)
        return self.head(self.expand(deep)).movedim(-1, 1)


class UpStage(nn.Module):
    """Enlarge the deep tokens twice, join them with the skip, attend."""

    def __init__(self, deep: int, shallow: int) -> None:
        super().__init__()
        self.expand = Expand(deep, shallow, 2)
        self.join = nn.Linear(2 * shallow, shallow)
        self.attend = WindowStage(shallow)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.attend(self.join(torch.cat([skip, self.expand(deep)], -1)))
        return joined


class Expand(nn.Module):
    """Every token becomes `factor` by `factor` tokens: (B, h, w, D) to (B, factor * h, factor * w, width)."""

    def __init__(self, inside: int, width: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.linear = nn.Linear(inside, factor**2 * width, bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        shuffled = F.pixel_shuffle(self.linear(tokens).movedim(-1, 1), self.factor)
        normalized: Tensor = self.norm(shuffled.movedim(1, -1))
        return normalized


class WindowStage(nn.Module):
    """Attention within windows, then within windows moved by half of one: (B, h, w, D) to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinTransformerBlock(width, width // HEAD_WIDTH, WINDOW, shift, drop_path=DROP_PATH)
            for shift in ((0, 0), SHIFT)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        sizes = tokens.shape[1:-1]
        window, shift = get_window_size(sizes, WINDOW, SHIFT)
        padded = [math.ceil(n / w) * w for n, w in zip(sizes, window, strict=True)]
        mask = compute_mask(padded, window, shift, tokens.device)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens
