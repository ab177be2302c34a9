"""What every network in the folder promises: parts with lasting names, features, depth, a seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.networks.backbone import (
    Backbone,
    build_network,
    network_class,
    network_names,
    pools_for,
)

FLEXIBLE = ("attention_unet", "dynunet", "residual_unet", "unet")  # shrink each axis as `pools` ask
SLICES_ONLY = ("rolling_unet", "u_kan", "uctransnet")
BLOCKS = (16, 32, 32)
BLOCKS_OF_32 = (32, 32, 64)


@pytest.fixture(params=network_names())
def a_name(request) -> str:
    return request.param


@pytest.fixture(
    params=[(name, dims) for name in network_names() for dims in network_class(name).dims],
    ids=lambda param: f"{param[0]}-{param[1]}D",
)
def a_network_and_images(request, make_network) -> tuple[Backbone, Tensor]:
    name, dims = request.param
    size = (64, 64) if dims == 2 else BLOCKS_OF_32 if name.startswith("swin_unetr") else BLOCKS
    return make_network(name, spatial_dims=dims, pools=pools_for(size)), images_of(size)


def images_of(size: tuple[int, ...], channels: int = 1) -> Tensor:
    return torch.rand(2, channels, *size, generator=torch.Generator().manual_seed(0))


def test_all_networks_are_found():
    names = network_names()
    others = ("monai_basic_unet", "resenc_unet", "swin_unetr", "swin_unetr_v2")
    assert names[0] == "unet"  # the recommended one
    assert sorted(names) == sorted((*FLEXIBLE, *SLICES_ONLY, *others))
    assert all(network_class(name).dims == (2,) for name in SLICES_ONLY)


def _quarter(scores: Tensor) -> Tensor:
    """Scores a quarter of a pixel further along both axes."""
    down = 0.75 * scores[..., :-1, :] + 0.25 * scores[..., 1:, :]
    return 0.75 * down[..., :-1] + 0.25 * down[..., 1:]


def test_a_coarse_network_sees_the_mean_of_pixels_and_enlarges_its_scores():
    images = images_of((64, 32))
    coarse, plain = (build_network("unet", seed=0, base_channels=4, downsampling=n).eval() for n in (2, 1))
    mean = images.unflatten(-1, (-1, 2)).mean(-1).unflatten(-2, (-1, 2)).mean(-2)  # of 2 x 2 pixels

    with torch.no_grad():
        small, (of_training,), large = plain(mean), coarse.training_scores(images), coarse(images)

    assert torch.equal(of_training, large)
    # Between two pixels of the small map lie two of the large one, at a quarter and at three quarters.
    assert torch.allclose(large[..., 1::2, 1::2][..., :-1, :-1], _quarter(small), atol=1e-5)
    assert coarse.stride == (32, 32)


def test_scores_have_the_size_of_the_images(a_network_and_images):
    network, images = a_network_and_images

    with torch.no_grad():
        scores = network(images)

    assert scores.shape == (2, 3, *images.shape[2:])
    assert scores.isfinite().all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_up_to_four_channels_are_taken(a_name, channels, make_network):
    network = make_network(a_name, in_channels=channels)

    assert network(images_of((64, 64), channels)).shape == (2, 3, 64, 64)


def test_widths_and_stride_describe_the_features(a_network_and_images):
    network, images = a_network_and_images

    with torch.no_grad():
        features = network.encode(images)

    assert tuple(feature.shape[1] for feature in features) == network.widths
    assert features[0].shape[2:] == images.shape[2:]
    deepest = tuple(n // s for n, s in zip(images.shape[2:], network.stride, strict=True))
    assert tuple(features[-1].shape[2:]) == deepest


def test_decoding_stops_at_the_depth_asked_for(a_name, make_network):
    network = make_network(a_name).eval()
    features = network.encode(images_of((64, 128)))
    blocks = len(network.decoder)

    for depth in range(blocks + 1):
        decoded = network.decode(features, depth)

        assert decoded.shape[1] == network.widths[blocks - depth]
        assert decoded.shape[2:] == features[blocks - depth].shape[2:]
    assert torch.equal(network.decode(features), decoded)


def test_forward_is_encode_then_decode_then_head(a_name, make_network):
    network, images = make_network(a_name).eval(), images_of((64, 64))

    by_hand = network.head(network.decode(network.encode(images)))

    assert torch.equal(network(images), by_hand)


def test_training_scores_start_with_the_scores_and_grow_coarser(a_name, make_network):
    network, images = make_network(a_name).eval(), images_of((64, 64))

    maps = network.training_scores(images)

    assert torch.equal(maps[0], network(images))
    assert [tuple(scores.shape) for scores in maps] == [(2, 3, 64 >> n, 64 >> n) for n in range(len(maps))]


def test_every_tensor_belongs_to_a_named_part(a_name, make_network):
    network = make_network(a_name)
    names = network.state_dict()

    prefixes = {".".join(n.split(".")[:2]) if n.startswith("decoder") else n.split(".")[0] for n in names}

    assert prefixes == {"encoder", "head", *(f"decoder.{block}" for block in range(len(network.decoder)))}
    assert len({tensor.data_ptr() for tensor in names.values()}) == len(names)  # none is shared


def test_every_parameter_learns(a_name, make_network):
    network = make_network(a_name)

    sum(scores.square().sum() for scores in network.training_scores(images_of((64, 64)))).backward()

    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_the_smallest_images_allowed_can_be_learned_from(a_name, make_network):
    network = make_network(a_name)

    smallest = tuple(network.smallest_deepest * stride for stride in network.stride)

    assert network(images_of(smallest)).isfinite().all()
    if network.smallest_deepest > 1:
        with pytest.raises(ValueError, match="more than 1 spatial element"):
            network(images_of(network.stride))


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
    with pytest.raises(BadSetting, match=r"no network 'resnet'.*Choose from: attention_unet, dyn.*, unet\."):
        build_network("resnet", seed=0)


@pytest.mark.parametrize(("name", "side"), [("monai_basic_unet", 16), ("swin_unetr", 32)])
def test_networks_of_fixed_stride_refuse_patches_of_few_slices(name, side, make_network):
    refused = (
        rf"{name} divides every axis by {side}, but .* fewer than {side} slices\. Choose the network unet"
    )
    with pytest.raises(BadSetting, match=refused):
        make_network(name, spatial_dims=3, pools=pools_for((side // 2, 64, 64)))

    assert make_network(name, spatial_dims=3, pools=pools_for((side, 64, 64))).stride == (side,) * 3


@pytest.mark.parametrize("name", FLEXIBLE)
def test_the_others_shrink_each_axis_as_asked(name, make_network):
    network = make_network(name, spatial_dims=3, pools=pools_for((8, 64, 64)))

    with torch.no_grad():
        features = network.encode(images_of((8, 64, 64)))

    assert network.stride == (2, 16, 16)
    assert features[-1].shape[2:] == (4, 4, 4)


@pytest.mark.parametrize("name", SLICES_ONLY)
def test_networks_for_slices_refuse_volumes_and_name_those_that_take_them(name, make_network):
    with pytest.raises(BadSetting, match=rf"{name} cannot be built in 3D, only in 2D\. Choose") as refusal:
        make_network(name, spatial_dims=3)

    named = set(refusal.value.remedy.removeprefix("Choose one of: ").rstrip(".").split(", "))
    assert named == set(network_names()) - set(SLICES_ONLY)


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
