"""Batch norm takes its statistics from the scans, and nothing else of the network changes."""

from __future__ import annotations

import torch
from torch import nn

from ContrastiveSegLib.training.batches import Sampler
from ContrastiveSegLib.training.norm_statistics import BATCH, STEPS, drawn_first, take_statistics


def test_running_statistics_become_the_mean_over_the_batches():
    network = nn.Sequential(nn.BatchNorm2d(2))
    batches = [torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(n)) + n for n in range(4)]

    assert take_statistics(network, batches)

    means = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    variances = torch.stack([batch.transpose(0, 1).flatten(1).var(1) for batch in batches]).mean(0)
    assert torch.allclose(network[0].running_mean, means)
    assert torch.allclose(network[0].running_var, variances)


def test_weights_mode_and_momentum_stay(a_network):
    a_network.eval()
    before = {name: tensor.clone() for name, tensor in a_network.named_parameters()}
    momenta = [m.momentum for m in a_network.modules() if isinstance(m, nn.BatchNorm2d)]

    take_statistics(a_network, [torch.rand(2, 1, 32, 32)])

    assert all(torch.equal(tensor, before[name]) for name, tensor in a_network.named_parameters())
    assert [m.momentum for m in a_network.modules() if isinstance(m, nn.BatchNorm2d)] == momenta
    assert not a_network.training


def test_a_network_without_batch_norm_is_left_alone():
    assert not take_statistics(nn.Sequential(nn.InstanceNorm2d(2)), iter(()))


def test_patches_are_those_of_the_first_steps_augmented_if_asked(make_case, a_compute):
    sampler = Sampler([make_case("a")], (16, 16), labeled=True, seed=0)

    plain = list(drawn_first(sampler, a_compute))
    darker = list(drawn_first(sampler, a_compute, lambda batch, _: (batch.images / 2, batch.labels)))

    assert len(plain) == STEPS
    assert torch.equal(plain[3], sampler.draw(3, BATCH).images)
    assert all(torch.equal(dark, images / 2) for dark, images in zip(darker, plain, strict=True))
