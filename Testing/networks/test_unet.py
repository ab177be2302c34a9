"""The U-Net is the one of the papers, in 2D and 3D."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ContrastiveSegLib.networks.backbone import build_network, pools_for


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("channels", "expected"), [(1, 4_713_568), (4, 4_714_432)])
def test_the_encoder_has_as_many_parameters_as_in_the_paper(channels, expected):
    network = build_network("unet", seed=0, in_channels=channels)

    assert count(network.encoder) == expected


def test_the_whole_network_has_as_many_parameters_as_in_the_paper():
    network = build_network("unet", seed=0, in_channels=1, classes=4)

    assert count(network) == 7_763_456


def test_each_level_doubles_the_channels_and_halves_the_sides(a_network):
    features = a_network.encode(torch.zeros(2, 1, 64, 96))

    shapes = [tuple(feature.shape) for feature in features]
    assert shapes == [(2, 4, 64, 96), (2, 8, 32, 48), (2, 16, 16, 24), (2, 32, 8, 12), (2, 64, 4, 6)]


def test_the_deepest_features_of_512_pixels_have_32(a_network):
    with torch.no_grad():
        features = a_network.encode(torch.zeros(1, 1, 512, 512))

    assert features[-1].shape[-2:] == (32, 32)


def test_few_slices_are_pooled_in_plane_only(make_network):
    network = make_network(spatial_dims=3, pools=pools_for((8, 64, 64)))

    features = network.encode(torch.zeros(1, 1, 8, 64, 64))

    assert [tuple(feature.shape[2:]) for feature in features] == [
        (8, 64, 64),
        (4, 32, 32),
        (4, 16, 16),
        (4, 8, 8),
        (4, 4, 4),
    ]
    assert network.stride == (2, 16, 16)
    assert network(torch.zeros(1, 1, 8, 64, 64)).shape == (1, 3, 8, 64, 64)


def test_the_skip_of_each_level_reaches_the_decoder(a_network):
    a_network.eval()
    features = a_network.encode(torch.rand(1, 1, 32, 32))
    whole = a_network.decode(features)

    for level in range(len(features)):
        changed = [f + (n == level) for n, f in enumerate(features)]
        assert not torch.allclose(a_network.decode(changed), whole)


def test_the_center_has_no_norm_and_the_other_blocks_have(a_network):
    def norms(module: nn.Module) -> int:
        return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())

    assert norms(a_network.encoder.center) == 0
    assert [norms(block) for block in a_network.encoder.blocks] == [2, 2, 2, 2]
    assert [norms(block) for block in a_network.decoder] == [2, 2, 2, 2]


def test_the_head_has_no_bias(a_network):
    assert a_network.head.bias is None


def test_weights_start_he_normal_and_biases_at_zero():
    network = build_network("unet", seed=0, base_channels=16)
    convolution = network.encoder.center[2]  # 256 to 256

    expected = math.sqrt(2 / (1 + 0.01**2) / (256 * 9))

    assert convolution.weight.std().item() == pytest.approx(expected, rel=0.02)
    assert not convolution.bias.any()
