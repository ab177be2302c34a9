"""PCL's term equals a value computed without its code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import pcl
from ContrastiveSegLib.training.batches import Batch

SLICE_POSITIONS = [0.10, 0.15, 0.50, 0.90]


def two_simple_views(images: torch.Tensor, _: Generator) -> torch.Tensor:
    """The image itself, and the image upside down."""
    return torch.cat([images, images.flip(-2)])


@pytest.fixture
def a_batch() -> Batch:
    images = torch.rand(4, 1, 32, 32, generator=Generator().manual_seed(0))
    return Batch(images, slice_positions=torch.tensor(SLICE_POSITIONS), cases=torch.tensor([0, 1, 2, 3]))


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.45, 1.0])
def test_the_term_equals_a_slow_loop(a_network, a_batch, monkeypatch, threshold):
    monkeypatch.setattr(pcl, "two_random_views", two_simple_views)
    method = pcl.Method(a_network, pcl.Settings(threshold=threshold, temperature=0.2)).eval()

    terms = method.loss_terms(a_batch, Generator())

    views = [*a_batch.images[:, None], *a_batch.images.flip(-2)[:, None]]
    rows = [method.projector(a_network.encode(view)[-1])[0].detach() for view in views]
    unit, slice_positions = [row / row.norm() for row in rows], SLICE_POSITIONS * 2
    losses = []
    for a in range(8):
        similar = {b: (unit[a] @ unit[b]).item() / 0.2 for b in range(8) if b != a}
        denominator = math.log(sum(math.exp(s) for s in similar.values()))
        partners = [
            b for b in similar if b == (a + 4) % 8 or abs(slice_positions[a] - slice_positions[b]) < threshold
        ]
        losses.append(sum(denominator - similar[b] for b in partners) / len(partners))
    assert list(terms) == ["position"]
    assert terms["position"].item() == pytest.approx(0.2 / 0.07 * sum(losses) / 8, rel=1e-4)


def test_cases_do_not_matter_only_slice_positions_do(a_network, a_batch):
    method = pcl.Method(a_network, pcl.Settings()).eval()

    def term(slice_positions: list[float], cases: list[int]) -> float:
        batch = Batch(a_batch.images, torch.tensor(slice_positions), torch.tensor(cases))
        return method.loss_terms(batch, Generator().manual_seed(0))["position"].item()

    assert term(SLICE_POSITIONS, [0, 1, 2, 3]) == term(SLICE_POSITIONS, [0, 0, 0, 0])
    assert term(SLICE_POSITIONS, [0, 1, 2, 3]) != term([0.1, 0.9, 0.5, 0.15], [0, 1, 2, 3])
