"""Rolling-UNet rolls as its paper says, sees whole lines, and costs what a convolution does."""

from __future__ import annotations

import pytest
import torch

from ContrastiveSegLib.networks.rolling_unet import (
    COLUMNS,
    ROWS,
    DoubleOrthogonal,
    LongLocal,
    RollingMLP,
    roll_channels,
)


@pytest.mark.parametrize("axis", [ROWS, COLUMNS])
@pytest.mark.parametrize("step", [1, -1, 3])
def test_rolling_agrees_with_a_slow_loop(axis, step):
    features = torch.rand(2, 7, 4, 5)  # more channels than places: they start over

    rolled = roll_channels(features, axis, step)

    for channel in range(7):
        for h in range(4):
            for w in range(5):
                from_h = (h - channel * step) % 4 if axis == ROWS else h
                from_w = (w - channel * step) % 5 if axis == COLUMNS else w
                assert torch.equal(rolled[:, channel, h, w], features[:, channel, from_h, from_w])


def reach(module: torch.nn.Module, side: int) -> torch.Tensor:
    """Which places of (side, side) the result in the middle depends on, for as many channels as places."""
    features = torch.rand(1, side, side, side, requires_grad=True)
    module(features)[0, :, side // 2, side // 2].sum().backward()
    return features.grad[0].abs().sum(0) > 0


def test_one_rolling_sees_its_whole_line_and_nothing_else():
    seen = reach(RollingMLP(8, COLUMNS, 1), side=8)

    assert seen[4].all()
    assert seen.sum() == 8


def test_two_orthogonal_pairs_see_the_whole_map():
    assert reach(DoubleOrthogonal(8), side=8).all()


def test_a_lo2_block_has_about_as_many_weights_as_a_convolution():
    weights = sum(parameter.numel() for parameter in LongLocal(64).parameters())

    assert weights == pytest.approx(9 * 64 * 64, rel=0.05)


def test_long_distance_mixing_is_where_the_paper_puts_it(make_network):
    network = make_network("rolling_unet")

    def mixes(part: torch.nn.Module) -> bool:
        return any(isinstance(module, LongLocal) for module in part.modules())

    assert [mixes(stage) for stage in network.encoder] == [False, False, False, True, True]
    assert [mixes(block) for block in network.decoder] == [True, False, False, False]
