"""SwAV's term equals a value computed without its code, and the prototypes wait before they move."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import swav

SETTINGS = swav.Settings(prototypes=6, epsilon=0.1, temperature=0.2, freeze_prototypes=0.1)


@pytest.fixture
def a_method(a_network, with_simple_views):
    torch.manual_seed(0)
    return with_simple_views(swav).Method(a_network, SETTINGS).eval()


def assignments(scores: np.ndarray) -> np.ndarray:
    """Three rounds of Sinkhorn and Knopp, in float64."""
    shares = np.exp(scores / 0.1)
    for _ in range(3):
        shares = shares / shares.sum(0) / shares.shape[1]
        shares = shares / shares.sum(1, keepdims=True) / shares.shape[0]
    return shares * len(shares)


def test_each_view_predicts_the_assignment_of_the_other(a_method, a_batch, cosine):
    a_method.progress = 0.5

    terms = a_method.loss_terms(a_batch, Generator())

    scores = []
    for images in (a_batch.images, a_batch.images.flip(-2)):
        rows = [a_method.projector(a_method.network.encode(i[None])[-1])[0].detach() for i in images]
        scores.append(
            np.array([[cosine(r, d.detach()) for d in a_method.prototypes.directions] for r in rows])
        )
    losses = []
    for own, other in (scores, scores[::-1]):
        for row, target in zip(own / 0.2, assignments(other), strict=True):
            denominator = math.log(np.exp(row).sum())
            losses.append(-sum(t * (s - denominator) for s, t in zip(row, target, strict=True)))
    assert list(terms) == ["assignment"]
    assert terms["assignment"].item() == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize(("progress", "moves"), [(0.0, False), (0.09, False), (0.1, True), (0.9, True)])
def test_prototypes_stay_where_they_are_at_first(a_method, a_batch, progress, moves):
    a_method.progress = progress

    a_method.loss_terms(a_batch, Generator())["assignment"].backward()

    assert (a_method.prototypes.directions.grad is not None) == moves
    assert all(parameter.grad.any() for parameter in a_method.projector.parameters())


def test_equal_images_cost_the_logarithm_of_the_prototypes_at_least(a_method, a_batch, monkeypatch):
    """Balanced assignments of equal features are even: this is what keeps SwAV from collapsing."""
    monkeypatch.setattr(a_method.projector, "forward", lambda f: torch.ones(len(f), 64))

    term = a_method.loss_terms(a_batch, Generator())["assignment"].item()

    assert term >= math.log(6) - 1e-5
