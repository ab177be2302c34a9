"""Swin UNETR computes what MONAI's does."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import SwinUNETR
from monai.networks.nets import swin_unetr as monai_swin
from torch import Tensor

from ContrastiveSegLib.networks.backbone import Backbone, build_network


def monai_network(network: Backbone, dims: int) -> SwinUNETR:
    """MONAI's network with the same weights."""
    published = SwinUNETR(in_channels=1, out_channels=3, feature_size=network.widths[0], spatial_dims=dims)
    swin, encoder = published.swinViT, network.encoder
    pairs = [(swin.patch_embed, encoder.tokens), (published.out, network.head)]
    pairs += zip([swin.layers1, swin.layers2, swin.layers3, swin.layers4], encoder.stages, strict=True)
    skips = [
        published.encoder1,
        published.encoder2,
        published.encoder3,
        published.encoder4,
        torch.nn.Identity(),
        published.encoder10,
    ]
    pairs += zip(skips, encoder.skips, strict=True)
    decoders = [
        published.decoder5,
        published.decoder4,
        published.decoder3,
        published.decoder2,
        published.decoder1,
    ]
    pairs += zip(decoders, network.decoder, strict=True)
    for theirs, ours in pairs:
        block = theirs[0] if isinstance(theirs, torch.nn.ModuleList) else theirs
        block.load_state_dict(ours.state_dict())
    return published


def move_channels(tokens: Tensor, pattern: str) -> Tensor:
    """What einops.rearrange does in MONAI's file: channels to the end, or back."""
    return tokens.movedim(1, -1) if pattern.endswith("c") else tokens.movedim(-1, 1)


# 96 / 2 = 48 tokens are seven windows of 7, so windows are shifted and padded.
@pytest.mark.parametrize("size", [(96, 64), (32, 32, 64)], ids=["2D", "3D"])
@torch.no_grad()
def test_scores_are_those_of_monai_with_the_same_weights(size, make_network, monkeypatch):
    monkeypatch.setattr(monai_swin, "rearrange", move_channels)
    network = make_network("swin_unetr", spatial_dims=len(size))
    images = torch.rand(1, 1, *size)

    expected = monai_network(network, len(size))(images)

    torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(("width", "rounded"), [(1, 12), (16, 12), (32, 36), (48, 48)])
def test_the_width_is_rounded_to_a_multiple_of_twelve(width, rounded):
    network = build_network("swin_unetr", seed=0, base_channels=width)

    assert network.widths == tuple(rounded * factor for factor in (1, 1, 2, 4, 8, 16))
