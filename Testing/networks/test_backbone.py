"""What every network in the folder promises: parts with lasting names, features, depth, a seed."""

from __future__ import annotations

import pytest
import torch

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.networks.backbone import build_network, network_names, pools_for

LEVELS = 4


@pytest.fixture(params=network_names())
def a_name(request) -> str:
    return request.param


@pytest.fixture(params=[2, 3], ids=["2D", "3D"])
def some_images(request) -> torch.Tensor:
    size = (32, 32) if request.param == 2 else (16, 32, 32)
    return torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))


def test_both_networks_are_found():
    assert network_names() == ("monai_basic_unet", "unet")


def test_scores_have_the_size_of_the_images(a_name, some_images, make_network):
    dims = some_images.ndim - 2
    network = make_network(a_name, spatial_dims=dims, pools=pools_for(some_images.shape[2:]))

    scores = network(some_images)

    assert scores.shape == (2, 3, *some_images.shape[2:])
    assert scores.isfinite().all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_up_to_four_channels_are_taken(a_name, channels, make_network):
    network = make_network(a_name, in_channels=channels)

    assert network(torch.rand(2, channels, 32, 32)).shape == (2, 3, 32, 32)


def test_widths_and_stride_describe_the_features(a_name, make_network):
    network = make_network(a_name)

    features = network.encode(torch.rand(2, 1, 64, 32))

    assert tuple(feature.shape[1] for feature in features) == network.widths
    assert tuple(features[-1].shape[2:]) == (64 // network.stride[0], 32 // network.stride[1])


@pytest.mark.parametrize("depth", range(LEVELS + 1))
def test_decoding_stops_at_the_depth_asked_for(a_name, depth, make_network):
    network = make_network(a_name).eval()
    features = network.encode(torch.rand(1, 1, 32, 32))

    decoded = network.decode(features, depth)

    side = 32 // 2 ** (LEVELS - depth)
    assert decoded.shape[2:] == (side, side)
    assert decoded.shape[1] == network.widths[LEVELS - depth]


def test_forward_is_encode_then_decode_then_head(a_name, make_network):
    network, images = make_network(a_name).eval(), torch.rand(2, 1, 32, 32)

    by_hand = network.head(network.decode(network.encode(images)))

    assert torch.equal(network(images), by_hand)


def test_every_tensor_belongs_to_a_named_part(a_name, make_network):
    names = make_network(a_name).state_dict()

    prefixes = {".".join(n.split(".")[:2]) if n.startswith("decoder") else n.split(".")[0] for n in names}

    assert prefixes == {"encoder", "head", *(f"decoder.{block}" for block in range(LEVELS))}


def test_every_parameter_learns(a_name, make_network):
    network = make_network(a_name)

    network(torch.rand(2, 1, 32, 32)).square().sum().backward()

    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def test_the_seed_decides_the_weights_and_nothing_else(a_name, make_network):
    torch.manual_seed(5)
    first = make_network(a_name, seed=1).state_dict()
    drawn = torch.rand(1)
    again, other = (make_network(a_name, seed=seed).state_dict() for seed in (1, 2))

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))


def test_an_unknown_network_is_refused_with_the_names_there_are():
    with pytest.raises(BadSetting, match=r'no network "resnet".*Choose one of: monai_basic_unet, unet\.'):
        build_network("resnet", seed=0)


def test_basic_unet_refuses_patches_of_few_slices(make_network):
    with pytest.raises(BadSetting, match=r"halves every axis four times.*Choose the network unet"):
        make_network("monai_basic_unet", spatial_dims=3, pools=pools_for((8, 64, 64)))


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ((64, 32), ((2, 2), (2, 2), (2, 2), (2, 2))),
        ((8, 128, 128), ((2, 2, 2), (1, 2, 2), (1, 2, 2), (1, 2, 2))),
        ((20, 64, 128), ((2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))),
        ((5, 32, 64), ((1, 2, 2), (1, 2, 2), (1, 2, 2), (1, 1, 2))),
    ],
)
def test_an_axis_is_halved_while_four_positions_remain(patch, expected):
    assert pools_for(patch) == expected
