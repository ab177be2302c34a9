"""nnU-Net's plain network computes what MONAI's DynUNet does, deep supervision included."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from monai.networks.nets import DynUNet
from torch.nn import functional as F

from ContrastiveSegLib.networks.backbone import Backbone, build_network, pools_for


def monai_network(network: Backbone, pools: Sequence[Sequence[int]]) -> DynUNet:
    """MONAI's network with the same weights."""
    dims = len(pools[0])
    strides = [(1,) * dims, *pools]
    published = DynUNet(
        dims, 1, 3, [3] * 5, strides, strides[1:], network.widths, deep_supervision=True, deep_supr_num=2
    )
    theirs = [
        published.input_block,
        *published.downsamples,
        published.bottleneck,
        *published.upsamples,
    ]
    theirs += [published.output_block, *published.deep_supervision_heads]
    ours = [*network.encoder, *network.decoder, network.head.final, *network.head.deep]
    for block, source in zip(theirs, ours, strict=True):
        block.load_state_dict(source.state_dict())
    return published


@pytest.mark.parametrize("size", [(32, 48), (8, 32, 32)], ids=["2D", "3D"])
def test_scores_are_those_of_monai_with_the_same_weights(size, make_network):
    pools = pools_for(size)
    network = make_network("dynunet", spatial_dims=len(size), pools=pools)
    published, images = monai_network(network, pools), torch.rand(2, 1, *size)

    maps = network.training_scores(images)

    torch.testing.assert_close(network(images), published.eval()(images))
    enlarged = torch.stack([F.interpolate(scores, size) for scores in maps], dim=1)
    torch.testing.assert_close(enlarged, published.train()(images))


def test_channels_double_up_to_the_cap_of_nnunet():
    network_2d = build_network("dynunet", seed=0, base_channels=64)
    network_3d = build_network("dynunet", seed=0, base_channels=32, spatial_dims=3)

    assert network_2d.widths == (64, 128, 256, 512, 512)
    assert network_3d.widths == (32, 64, 128, 256, 320)


def test_all_resolutions_but_the_two_lowest_are_supervised(make_network):
    pools = pools_for((8, 64, 64))
    network = make_network("dynunet", spatial_dims=3, pools=pools)

    maps = network.training_scores(torch.rand(1, 1, 8, 64, 64))

    assert [tuple(scores.shape[2:]) for scores in maps] == [(8, 64, 64), (4, 32, 32), (4, 16, 16)]
