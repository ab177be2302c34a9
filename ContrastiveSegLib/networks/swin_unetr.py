"""Swin UNETR: shifted-window attention down, residual convolutions up, with five halvings.

Source: Hatamizadeh et al., Swin UNETR, BrainLes 2021, arXiv 2201.01266, cut from MONAI's SwinUNETR. The first
level sees the image itself, the second tokens of two positions per axis; both have the base channels, rounded
to a multiple of 12 so that the heads share them evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets.swin_unetr import SwinUNETR, compute_mask, get_window_size
from torch import Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.networks.backbone import Backbone, check_fit

HALVINGS = 5
WIDTH_MULTIPLE = 12


class Network(Backbone):
    """Swin UNETR with windows of 7; `pools` are ignored, because it halves every axis five times."""

    smallest_deepest = 2
    has_convolutions = False  # in front of each stage: the second version

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
        self.stride = (2**HALVINGS,) * spatial_dims
        check_fit(self, spatial_dims, pools)
        channels = max(1, round(base_channels / WIDTH_MULTIPLE)) * WIDTH_MULTIPLE
        self.widths = (channels, *(channels * 2**level for level in range(HALVINGS)))
        net = SwinUNETR(
            in_channels=in_channels,
            out_channels=classes,
            feature_size=channels,
            spatial_dims=spatial_dims,
            use_v2=self.has_convolutions,
        )
        self.encoder = Encoder(net)
        self.decoder = nn.ModuleList([net.decoder5, net.decoder4, net.decoder3, net.decoder2, net.decoder1])
        self.head = net.out


class Encoder(nn.Module):
    """Four stages of window attention, whose normalized outputs residual convolutions make into skips."""

    def __init__(self, net: SwinUNETR) -> None:
        super().__init__()
        swin = net.swinViT
        self.tokens = swin.patch_embed
        self.stages = nn.ModuleList([swin.layers1[0], swin.layers2[0], swin.layers3[0], swin.layers4[0]])
        convolutions = [swin.layers1c, swin.layers2c, swin.layers3c, swin.layers4c] if swin.use_v2 else []
        self.convolutions = nn.ModuleList([layers[0] for layers in convolutions])
        self.skips = nn.ModuleList(
            [net.encoder1, net.encoder2, net.encoder3, net.encoder4, nn.Identity(), net.encoder10]
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        tokens = [self.tokens(images)]
        before = self.convolutions or [nn.Identity()] * len(self.stages)
        for convolution, stage in zip(before, self.stages, strict=True):
            tokens.append(run_stage(stage, convolution(tokens[-1])))
        levels = [images, *(_normalized(level) for level in tokens)]
        return [skip(level) for skip, level in zip(self.skips, levels, strict=True)]


def run_stage(stage: Any, tokens: Tensor) -> Tensor:
    """Window attention and merging of MONAI's BasicLayer: (B, C, *S) to (B, 2C, *S / 2).

    Its own forward needs the package einops, which MONAI does not install.
    """
    tokens = tokens.movedim(1, -1)  # (B, *S, C)
    sizes = tokens.shape[1:-1]
    window, shift = get_window_size(sizes, stage.window_size, stage.shift_size)
    padded = [-(-n // w) * w for n, w in zip(sizes, window, strict=True)]
    mask = compute_mask(padded, window, shift, tokens.device)
    for block in stage.blocks:
        tokens = block(tokens, mask)
    merged: Tensor = stage.downsample(tokens)
    return merged.movedim(-1, 1)


def _normalized(tokens: Tensor) -> Tensor:
    last = tokens.movedim(1, -1)
    return F.layer_norm(last, last.shape[-1:]).movedim(-1, 1)
