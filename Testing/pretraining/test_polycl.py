"""PolyCL's term equals a value computed without its code, and starts near ln 2."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import polycl


@pytest.fixture
def a_batch_of_triplets(a_batch):
    return dataclasses.replace(
        a_batch, partners=torch.rand(2, 4, 1, 32, 32, generator=Generator().manual_seed(1))
    )


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_term_equals_a_slow_loop(a_network, a_batch_of_triplets, cosine, temperature):
    method = polycl.Method(a_network, polycl.Settings(temperature=temperature)).eval()

    terms = method.loss_terms(a_batch_of_triplets, Generator())

    losses = []
    weight, bias = method.projector.linear.weight, method.projector.linear.bias
    for slices in zip(a_batch_of_triplets.images, *a_batch_of_triplets.partners, strict=True):
        deepest = [a_network.encode(image[None])[-1][0] for image in slices]  # (64, 2, 2)
        anchor, near, far = ((weight @ place.amax((1, 2)) + bias).detach() for place in deepest)
        similar = [math.exp(cosine(anchor, other) / temperature) for other in (near, far)]
        losses.append(-math.log(similar[0] / sum(similar)))
    assert list(terms) == ["triplet"]
    assert terms["triplet"].item() == pytest.approx(sum(losses) / 4, rel=1e-4)


def test_the_loss_of_a_fresh_network_is_near_the_logarithm_of_two(make_network, a_batch_of_triplets):
    """Fresh networks see nearly the same in all slices; exactly ln 2 would be a collapse."""
    losses = [
        polycl.Method(make_network(seed=seed), polycl.Settings())
        .loss_terms(a_batch_of_triplets, Generator())["triplet"]
        .item()
        for seed in range(5)
    ]

    assert losses == pytest.approx([math.log(2)] * 5, abs=0.1)
    assert len(set(losses)) == 5


def test_equal_slices_cost_exactly_the_logarithm_of_two(a_network, a_batch):
    method = polycl.Method(a_network, polycl.Settings()).eval()
    batch = dataclasses.replace(a_batch, partners=torch.stack([a_batch.images] * 2))

    loss = method.loss_terms(batch, Generator())["triplet"].item()

    assert loss == pytest.approx(math.log(2), abs=1e-6)
    assert method.collapse_value(4) == pytest.approx(math.log(2))


@pytest.mark.parametrize(("side", "starts", "size"), [(5, (0, 2), 3), (4, (0, 2), 2), (1, (0,), 1)])
def test_the_projector_shrinks_by_maxima_then_averages(side, starts, size):
    projector = polycl.Projector(3)
    features = torch.randn(2, 3, side, side)

    rows = projector(features)

    maxima = [features[:, :, r : r + size, c : c + size].amax((2, 3)) for r in starts for c in starts]
    mean = torch.stack(maxima).mean(0)
    torch.testing.assert_close(rows, mean @ projector.linear.weight.T + projector.linear.bias)


@pytest.mark.parametrize(
    ("selection", "needs"), [("S", ("scans",)), ("O", ("slice labels",)), ("M", ("slice labels",))]
)
def test_the_selection_decides_what_the_data_must_offer(a_network, selection, needs):
    settings = polycl.Settings(selection=selection, m_negative="same_scan", central=0.5)

    partners = polycl.Method(a_network, settings).partners

    assert polycl.Method.needs_of(settings) == needs
    assert (partners.selection, partners.negative, partners.central) == (selection, "same_scan", 0.5)


def test_all_three_slices_learn(a_network, a_batch_of_triplets):
    batch = dataclasses.replace(
        a_batch_of_triplets,
        images=a_batch_of_triplets.images.clone().requires_grad_(),
        partners=a_batch_of_triplets.partners.clone().requires_grad_(),
    )

    polycl.Method(a_network, polycl.Settings()).loss_terms(batch, Generator())["triplet"].backward()

    assert batch.images.grad.any()
    assert batch.partners.grad[0].any()
    assert batch.partners.grad[1].any()
