"""Second decoders: for every network, with weights of their own, and of the network's size."""

from __future__ import annotations

import pytest
import torch

from ContrastiveSegLib.networks.backbone import network_names
from ContrastiveSegLib.networks.second_decoder import ConvolutionalDecoder, count_classes
from ContrastiveSegLib.networks.window_decoder import WINDOW, WindowDecoder, WindowStage


@pytest.fixture(params=network_names())
def any_network(request, make_network):
    """Each network in 2D, small."""
    return make_network(request.param)


def test_second_decoders_work_beside_every_network(any_network):
    images = torch.rand(2, 1, 64, 96)
    features = any_network.encode(images)

    for second in (ConvolutionalDecoder(any_network), WindowDecoder(any_network.widths, 3)):
        scores = second(features)
        scores.square().mean().backward(retain_graph=True)

        assert scores.shape == any_network(images).shape == (2, 3, 64, 96)
        assert any(p.grad is not None and p.grad.any() for p in second.parameters())
    assert any(p.grad is not None and p.grad.any() for p in any_network.encoder.parameters())
    assert all(p.grad is None for p in any_network.decoder.parameters())


def test_a_convolutional_second_decoder_has_other_weights(a_network):
    second = ConvolutionalDecoder(a_network)

    pairs = zip(second.blocks.parameters(), a_network.decoder.parameters(), strict=True)
    assert all(mine is not theirs for mine, theirs in pairs)
    assert not torch.equal(second.head.weight, a_network.head.weight)
    weights = [p for p in second.blocks.parameters() if p.ndim > 1]
    theirs = [p for p in a_network.decoder.parameters() if p.ndim > 1]
    assert not any(torch.equal(mine, other) for mine, other in zip(weights, theirs, strict=True))


def test_a_convolutional_second_decoder_works_on_blocks(make_network):
    network = make_network(spatial_dims=3)
    images = torch.rand(1, 1, 16, 32, 32)

    assert ConvolutionalDecoder(network)(network.encode(images)).shape == (1, 3, 16, 32, 32)


@pytest.mark.parametrize("patch", [(32, 32), (16, 16, 16)])
def test_classes_are_counted_without_a_trace(make_network, patch):
    network = make_network(classes=5, spatial_dims=len(patch)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    assert count_classes(network, patch) == 5
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_window_attention_looks_beyond_its_window_only_after_the_shift():
    side = 2 * WINDOW[0]
    stage = WindowStage(16).eval()
    tokens = torch.randn(1, side, side, 16, requires_grad=True)

    def reach(blocks: int) -> torch.Tensor:
        """Which tokens the last one of the first window depends on after so many blocks: (side, side)."""
        chosen = WindowStage(16).eval()
        chosen.blocks = stage.blocks[:blocks]
        place = WINDOW[0] - 1
        (gradient,) = torch.autograd.grad(chosen(tokens)[0, place, place].sum(), tokens)
        return gradient[0].abs().sum(-1) > 0

    first_window = torch.zeros(side, side, dtype=torch.bool)
    first_window[: WINDOW[0], : WINDOW[1]] = True
    assert torch.equal(reach(1), first_window)
    assert reach(2).all()  # the shifted window around it touches all four


def test_window_attention_knows_positions():
    torch.manual_seed(0)
    stage = WindowStage(16).eval()
    for name, table in stage.named_parameters():
        if "relative_position_bias_table" in name:
            torch.nn.init.normal_(table)
    tokens = torch.randn(1, 1, 1, 16).expand(1, 8, 8, 16) + 0.0
    tokens[0, 0, 0] = torch.randn(16)

    found = stage(tokens)

    near, far = found[0, 0, 1], found[0, 7, 6]
    assert not torch.allclose(near, far, atol=1e-4)


def test_the_window_decoder_is_trained_and_saved_as_a_whole(a_network):
    decoder = WindowDecoder(a_network.widths, 3)

    decoder(a_network.encode(torch.rand(2, 1, 64, 64))).square().mean().backward()

    assert [name for name, p in decoder.named_parameters() if p.grad is None] == []
    tables = [name for name in decoder.state_dict() if "relative_position_bias_table" in name]
    assert len(tables) == 6  # two blocks on each of three levels
