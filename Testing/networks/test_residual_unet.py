"""nnU-Net's residual encoder has its blocks where the paper puts them, and a light decoder."""

from __future__ import annotations

import torch
from monai.networks.blocks.dynunet_block import UnetResBlock
from torch import nn
from torch.nn import functional as F


def count(module: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(part, kind) for part in module.modules())


def test_the_stages_have_as_many_residual_blocks_as_in_the_paper(make_network):
    network = make_network("residual_unet")

    assert [count(stage, UnetResBlock) for stage in network.encoder] == [1, 3, 4, 6, 6]


def test_each_decoder_block_convolves_once(make_network):
    network = make_network("residual_unet", spatial_dims=3)

    for block in network.decoder:
        assert (count(block, nn.ConvTranspose3d), count(block, nn.Conv3d)) == (1, 1)


def test_a_decoder_block_enlarges_joins_convolves_and_normalizes(make_network):
    block = make_network("residual_unet").decoder[3]
    deep, skip = torch.rand(2, 8, 4, 4), torch.rand(2, 4, 8, 8)

    decoded = block(deep, skip)

    enlarged = F.conv_transpose2d(deep, block.up.conv.weight, stride=2)
    convolved = F.conv2d(torch.cat([enlarged, skip], 1), block.convolve.conv.weight, padding=1)
    mean, variance = convolved.mean((2, 3), keepdim=True), convolved.var((2, 3), keepdim=True, correction=0)
    expected = F.leaky_relu((convolved - mean) / (variance + 1e-5).sqrt(), 0.01)
    torch.testing.assert_close(decoded, expected)


def test_deep_decoder_blocks_give_scores_in_training(make_network):
    network = make_network("residual_unet")

    maps = network.training_scores(torch.rand(1, 1, 64, 32))

    assert [tuple(scores.shape[2:]) for scores in maps] == [(64, 32), (32, 16), (16, 8)]
