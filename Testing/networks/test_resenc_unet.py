"""ResEnc-L has the stages of the paper, and shrinks once more where the last pool does."""

from __future__ import annotations

import torch

from ContrastiveSegLib.networks.backbone import pools_for


def test_six_stages_with_the_blocks_of_the_paper(make_network):
    network = make_network("resenc_unet", base_channels=32, spatial_dims=3)

    assert [len(stage.blocks) for stage in network.encoder.stages] == [1, 3, 4, 6, 6, 6]
    assert network.widths == (32, 64, 128, 256, 320, 320)
    assert network.stride == (32, 32, 32)


def test_an_axis_that_is_short_is_not_halved_a_fifth_time(make_network):
    network = make_network("resenc_unet", spatial_dims=3, pools=pools_for((8, 64, 64)))

    with torch.no_grad():
        features = network.encode(torch.rand(1, 1, 8, 64, 64))

    assert network.stride == (2, 32, 32)
    assert [tuple(level.shape[2:]) for level in features[-2:]] == [(4, 4, 4), (4, 2, 2)]


def test_deep_decoder_blocks_give_scores_in_training(make_network):
    maps = make_network("resenc_unet").training_scores(torch.rand(1, 1, 64, 128))

    assert [tuple(scores.shape[2:]) for scores in maps] == [(64, 128), (32, 64), (16, 32), (8, 16)]
