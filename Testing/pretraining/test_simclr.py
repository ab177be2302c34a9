"""SimCLR's term equals a value computed without its code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import simclr
from ContrastiveSegLib.training.batches import Batch


def two_simple_views(images: torch.Tensor, _: Generator) -> torch.Tensor:
    """The image itself, and the image upside down."""
    return torch.cat([images, images.flip(-2)])


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_term_equals_a_slow_loop(a_network, monkeypatch, temperature):
    monkeypatch.setattr(simclr, "two_random_views", two_simple_views)
    method = simclr.Method(a_network, simclr.Settings(temperature=temperature)).eval()
    images = torch.rand(3, 1, 32, 32, generator=Generator().manual_seed(0))
    batch = Batch(images, slice_positions=torch.tensor([0.5, 0.5, 0.5]), cases=torch.arange(3))

    terms = method.loss_terms(batch, Generator())

    views = [*images[:, None], *images.flip(-2)[:, None]]
    rows = [method.projector(a_network.encode(view)[-1])[0].detach() for view in views]
    unit = [row / row.norm() for row in rows]
    losses = []
    for a in range(6):
        similar = {b: (unit[a] @ unit[b]).item() / temperature for b in range(6) if b != a}
        partner = (a + 3) % 6
        losses.append(math.log(sum(math.exp(s) for s in similar.values())) - similar[partner])
    assert list(terms) == ["instance"]
    assert terms["instance"].item() == pytest.approx(temperature / 0.07 * sum(losses) / 6, rel=1e-4)


def test_slice_positions_do_not_matter(a_network):
    method = simclr.Method(a_network, simclr.Settings()).eval()
    images = torch.rand(3, 1, 32, 32, generator=Generator().manual_seed(0))

    one, other = (
        method.loss_terms(
            Batch(images, torch.tensor(slice_positions), torch.arange(3)), Generator().manual_seed(0)
        )
        for slice_positions in ([0.1, 0.1, 0.1], [0.1, 0.5, 0.9])
    )

    assert one["instance"].item() == other["instance"].item()


def test_the_projector_is_as_wide_as_the_deepest_features(a_network):
    first, _, second = simclr.Method(a_network, simclr.Settings()).projector.layers

    assert first.weight.shape == second.weight.shape == (64, 64)
