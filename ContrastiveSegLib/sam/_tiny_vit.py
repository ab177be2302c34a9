"""TinyViT as image encoder of MobileSAM and LiteMedSAM, under the names of their published weights.

Source: Wu et al., TinyViT, ECCV 2022, https://arxiv.org/abs/2207.10666; Zhang et al., MobileSAM, 2023,
https://arxiv.org/abs/2306.14289. The last stage keeps the resolution of the third: 64 x 64 places remain.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS, DEPTHS, HEADS, WINDOWS = (64, 128, 160, 320), (2, 2, 6, 2), (2, 4, 5, 10), (7, 7, 14, 7)


class TinyViT(nn.Module):
    """Image (B, 3, H, W) to features (B, out, h, w).

    Args:
        stem_stride: 4 halves the image twice before the first stage (MobileSAM, 1024 to 64), 1 keeps it
            (LiteMedSAM, 256 to 64).
    """

    def __init__(
        self,
        stem_stride: int,
        *,
        widths: Sequence[int] = WIDTHS,
        depths: Sequence[int] = DEPTHS,
        heads: Sequence[int] = HEADS,
        out: int = 256,
    ) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"seq": _stem(widths[0], stem_stride)})
        strides = (2, 2, 1)
        self.layers = nn.ModuleList()
        for n, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [
                _InvertedResidual(width) if n == 0 else _Block(width, heads[n], WINDOWS[n])
                for _ in range(depth)
            ]
            after = _Merging(width, widths[n + 1], strides[n]) if n < len(strides) else nn.Identity()
            parts = {"blocks": nn.Sequential(*blocks), "downsample": after}
            self.layers.append(nn.Sequential(OrderedDict(parts)))
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], out, 1, bias=False),
            _ChannelNorm(out),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            _ChannelNorm(out),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.patch_embed["seq"](image)
        for stage in self.layers:
            features = stage(features)
        return self.neck(features)


class _ConvNorm(nn.Sequential):
    """Convolution and batch norm, without an activation."""

    def __init__(self, before: int, after: int, size: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.add_module("c", nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False))
        self.add_module("bn", nn.BatchNorm2d(after))


class _InvertedResidual(nn.Module):
    """MBConv: wider, one depthwise convolution, narrow again, added to what came in."""

    def __init__(self, width: int, expansion: int = 4) -> None:
        super().__init__()
        wide = width * expansion
        self.conv1 = _ConvNorm(width, wide)
        self.conv2 = _ConvNorm(wide, wide, 3, groups=wide)
        self.conv3 = _ConvNorm(wide, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class _Merging(nn.Module):
    """From one stage to the next: other width, coarser by `stride`."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _ConvNorm(before, after)
        self.conv2 = _ConvNorm(after, after, 3, stride=stride, groups=after)
        self.conv3 = _ConvNorm(after, after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class _Attention(nn.Module):
    """Self-attention inside a window, with a learned bias for each distance in rows and columns."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        self.distances: torch.Tensor
        self.register_buffer("distances", _distances(window), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, places, width = x.shape
        # Queries, keys and values of one head lie beside each other, head after head.
        found = self.qkv(self.norm(x)).view(count, places, self.heads, -1).transpose(1, 2)
        queries, keys, values = found.chunk(3, dim=-1)
        bias = self.attention_biases[:, self.distances]
        mixed = F.scaled_dot_product_attention(queries, keys, values, bias[None].to(values.dtype))
        return self.proj(mixed.transpose(1, 2).reshape(count, places, width))


class _Mlp(nn.Module):
    def __init__(self, width: int, expansion: int = 4) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, width * expansion)
        self.fc2 = nn.Linear(width * expansion, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class _Block(nn.Module):
    """Attention in windows, a depthwise convolution across them, and two layers for each place."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = _Attention(width, heads, window)
        self.local_conv = _ConvNorm(width, width, 3, groups=width)
        self.mlp = _Mlp(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.local_conv(x + self._attended(x))
        places = x.permute(0, 2, 3, 1)  # (B, H, W, D)
        return (places + self.mlp(places)).permute(0, 3, 1, 2)

    def _attended(self, x: torch.Tensor) -> torch.Tensor:
        batch, width, rows, columns = x.shape
        size = self.window
        padded = F.pad(x, (0, -columns % size, 0, -rows % size))
        down, across = (n // size for n in padded.shape[-2:])
        windows = padded.view(batch, width, down, size, across, size).permute(0, 2, 4, 3, 5, 1)
        mixed = self.attn(windows.reshape(-1, size * size, width))
        whole = mixed.view(batch, down, across, size, size, width).permute(0, 5, 1, 3, 2, 4)
        return whole.reshape(batch, width, down * size, across * size)[..., :rows, :columns]


class _ChannelNorm(nn.Module):
    """Layer norm over the channels of each place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return normed.permute(0, 3, 1, 2)


def _stem(width: int, stride: int) -> nn.Sequential:
    size, step = (3, 2) if stride == 4 else (1, 1)
    return nn.Sequential(
        _ConvNorm(3, width // 2, size, stride=step),
        nn.GELU(),
        _ConvNorm(width // 2, width, size, stride=step),
    )


def _distances(window: int) -> torch.Tensor:
    """The number of the bias for each pair of places (N, N): one for each pair of distances."""
    places = list(itertools.product(range(window), repeat=2))
    return torch.tensor([[abs(a - c) * window + abs(b - d) for c, d in places] for a, b in places])
