"""The average of weights equals the average computed by hand, and leaves the weights alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ContrastiveSegLib.training.ema import WeightEMA


@pytest.fixture
def a_module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_it_follows_the_weights_as_by_hand(a_module):
    average = WeightEMA(a_module, 0.9)
    expected = a_module[0].weight.detach().clone()

    for step in range(1, 200):
        with torch.no_grad():
            a_module[0].weight.add_(torch.randn(3, 2))
        average.take(a_module, step)
        decay = min(0.9, step / (step + 10))
        expected = decay * expected + (1 - decay) * a_module[0].weight.detach()

    torch.testing.assert_close(average.tensors["0.weight"], expected)


def test_running_statistics_are_averaged_and_counters_copied(a_module):
    average = WeightEMA(a_module, 0.5)
    a_module(torch.randn(8, 2) + 5)

    average.take(a_module, 1000)

    mean = a_module[1].running_mean
    torch.testing.assert_close(average.tensors["1.running_mean"], 0.5 * mean)
    assert average.tensors["1.num_batches_tracked"] == 1


def test_the_module_gets_its_own_weights_back_even_after_an_error(a_module):
    average = WeightEMA(a_module, 0.9)
    with torch.no_grad():
        a_module[0].weight.fill_(7)

    def judge() -> None:
        with average.in_place_of(a_module):
            assert (a_module[0].weight != 7).all()
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        judge()
    assert (a_module[0].weight == 7).all()
