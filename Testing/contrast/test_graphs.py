"""Graphs of nearest neighbors: golden values of the formulas, and components found by scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ContrastiveSegLib.contrast.graphs import components, connected, nearest_neighbors


def on_circle(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_golden_neighbors_and_components():
    neighbors = nearest_neighbors(on_circle(0, 5, 12, 90, 97, 200))

    assert neighbors.tolist() == [1, 0, 1, 4, 3, 4]
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert torch.equal(connected(neighbors), labels[:, None] == labels)
    assert components(connected(neighbors)).item() == pytest.approx(2)


def test_length_does_not_matter():
    rows = on_circle(0, 5, 12, 90, 97, 200)

    assert torch.equal(nearest_neighbors(rows * torch.arange(1, 7)[:, None]), nearest_neighbors(rows))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 3, 17, 64])
def test_components_are_those_of_scipy(count, seed):
    features = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    neighbors = nearest_neighbors(features)

    linked = connected(neighbors)

    edges = (np.ones(count), (np.arange(count), neighbors.numpy()))
    number, labels = connected_components(coo_array(edges, shape=(count, count)), directed=False)
    assert np.array_equal(linked.numpy(), labels[:, None] == labels)
    assert components(linked).item() == pytest.approx(number)


def test_a_long_chain_is_one_component():
    neighbors = torch.arange(1, 101).clamp(max=99)
    neighbors[99] = 98

    assert connected(neighbors).all()
