"""SimTriplet's terms equal values computed without its code."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import simtriplet
from ContrastiveSegLib.training.slice_pairs import Neighbor


@pytest.fixture
def a_batch_with_neighbors(a_batch):
    return dataclasses.replace(a_batch, partners=torch.rand(1, 4, 1, 32, 32))


def test_the_other_view_and_the_neighbor_are_predicted_both_ways(
    a_network, a_batch_with_neighbors, with_simple_views, cosine
):
    method = with_simple_views(simtriplet).Method(a_network, simtriplet.Settings()).eval()

    terms = method.loss_terms(a_batch_with_neighbors, Generator())

    distances = {"same_slice": [], "neighbor": []}
    (neighbors,) = a_batch_with_neighbors.partners
    for image, neighbor in zip(a_batch_with_neighbors.images, neighbors, strict=True):
        views = [image[None], image[None].flip(-2), neighbor[None].flip(-1)]
        seen = [method.projector(a_network.encode(view)[-1]).detach() for view in views]
        predicted = [method.predictor(rows)[0].detach() for rows in seen]
        for name, other in (("same_slice", 1), ("neighbor", 2)):
            distances[name] += [2 - 2 * cosine(predicted[0], seen[other][0])]
            distances[name] += [2 - 2 * cosine(predicted[other], seen[0][0])]
    assert list(terms) == ["same_slice", "neighbor"]
    for name, term in terms.items():
        assert term.item() == pytest.approx(sum(distances[name]) / 8, rel=1e-4)


def test_the_neighbor_comes_from_the_sampler(a_network, a_batch):
    method = simtriplet.Method(a_network, simtriplet.Settings())

    assert isinstance(method.partners, Neighbor)
    with pytest.raises(ValueError, match="drawn without partners"):
        method.loss_terms(a_batch, Generator())
