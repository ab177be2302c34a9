"""UCTransNet's attention is between channels, its gates weigh channels, and any size will do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ContrastiveSegLib.networks.uctransnet import CrossFusion, DecoderBlock, attend_to_channels


def test_attention_between_channels_agrees_with_a_slow_loop():
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(2, 3, 5, 4, generator=generator)  # 3 heads, 5 tokens
    keys, values = torch.randn(2, 2, 3, 5, 6, generator=generator)

    attended = attend_to_channels(queries, keys, values)

    expected = np.zeros((2, 5, 4))
    for b in range(2):
        for head in range(3):
            q, k, v = (tensor[b, head].double().numpy() for tensor in (queries, keys, values))
            similar = np.array([[q[:, c] @ k[:, s] / math.sqrt(6) for s in range(6)] for c in range(4)])
            similar = (similar - similar.mean()) / np.sqrt(similar.var() + 1e-5)
            for c in range(4):
                weights = np.exp(similar[c]) / np.exp(similar[c]).sum()
                expected[b, :, c] += sum(weights[s] * v[:, s] for s in range(6)) / 3
    np.testing.assert_allclose(attended.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_the_gate_weighs_each_channel_of_the_skip_by_both_averages():
    block = DecoderBlock(deep=6, shallow=3).eval()
    deep, skip = torch.randn(2, 6, 4, 4), torch.randn(2, 3, 8, 8)
    joined = []
    block.convolve.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))

    block(deep, skip)

    for b in range(2):
        for c in range(3):
            passing = block.by_skip.bias[c] + block.by_deep.bias[c]
            passing += sum(block.by_skip.weight[c, n] * skip[b, n].mean() for n in range(3))
            passing += sum(block.by_deep.weight[c, n] * deep[b, n].mean() for n in range(6))
            torch.testing.assert_close(joined[0][b, c], skip[b, c] / (1 + (-passing).exp()))
    torch.testing.assert_close(joined[0][:, 3:, 1::2, ::2], deep)


def test_every_level_gives_as_many_tokens():
    fusion = CrossFusion((4, 8, 16, 32))
    skips = [torch.rand(2, 4 * 2**level, 48 >> level, 80 >> level) for level in range(4)]
    seen = []
    fusion.layers[0].register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))

    fused = fusion(skips)

    assert [tuple(tokens.shape) for tokens in seen] == [(2, 15, width) for width in (4, 8, 16, 32)]
    assert [f.shape for f in fused] == [s.shape for s in skips]


@pytest.mark.parametrize("changed", range(4))
def test_every_level_reaches_every_fused_skip(changed):
    fusion = CrossFusion((4, 8, 16, 32)).eval()
    skips = [torch.rand(1, 4 * 2**level, 32 >> level, 32 >> level) for level in range(4)]
    others = [skip + torch.randn_like(skip) * (level == changed) for level, skip in enumerate(skips)]

    with torch.no_grad():
        pairs = zip(fusion(skips), fusion(others), strict=True)

    assert not any(torch.allclose(before, after, atol=1e-7) for before, after in pairs)


@pytest.mark.parametrize("size", [(16, 16), (48, 80), (224, 224)])
def test_any_multiple_of_sixteen_is_taken(size, make_network):
    network = make_network("uctransnet").eval()

    with torch.no_grad():
        scores = network(torch.rand(1, 1, *size))

    assert scores.shape == (1, 3, *size)
