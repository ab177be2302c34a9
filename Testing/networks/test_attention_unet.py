"""The Attention U-Net computes what MONAI's does, and its gates weigh the skips."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import AttentionUnet
from torch import nn

from ContrastiveSegLib.networks.backbone import Backbone


def monai_network(network: Backbone, dims: int) -> AttentionUnet:
    """MONAI's network with the same weights: layers nested in each other, from the outside in."""
    published = AttentionUnet(dims, 1, 3, channels=network.widths, strides=(2,) * 4)
    first, layer, head = published.model
    first.load_state_dict(network.encoder[0].state_dict())
    head.load_state_dict(network.head.state_dict())
    for encoder, decoder in zip(network.encoder[1:], network.decoder[::-1], strict=True):
        layer.upconv.load_state_dict(decoder.up.state_dict())
        layer.attention.load_state_dict(decoder.gate.state_dict())
        layer.merge.load_state_dict(decoder.merge.state_dict())
        nested = isinstance(layer.submodule, nn.Sequential)
        (layer.submodule[0] if nested else layer.submodule).load_state_dict(encoder.state_dict())
        layer = layer.submodule[1] if nested else None
    return published


@pytest.mark.parametrize("size", [(32, 48), (16, 32, 16)], ids=["2D", "3D"])
def test_scores_are_those_of_monai_with_the_same_weights(size, make_network):
    network = make_network("attention_unet", spatial_dims=len(size))
    images = torch.rand(2, 1, *size)

    expected = monai_network(network, len(size))(images)

    torch.testing.assert_close(network(images), expected)


def test_the_gate_lets_through_between_nothing_and_all_of_a_place(make_network):
    gate = make_network("attention_unet").decoder[3].gate
    skip = torch.rand(2, 4, 16, 16) + 0.1

    passed = gate(g=torch.randn(2, 4, 16, 16), x=skip) / skip

    torch.testing.assert_close(passed, passed[:, :1].expand_as(passed))  # one weight for all channels
    assert passed.min() > 0
    assert passed.max() < 1
    assert passed.std() > 0.01
