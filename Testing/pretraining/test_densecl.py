"""DenseCL's terms equal values computed without its code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator
from torch.nn import functional as F

from ContrastiveSegLib.pretraining import densecl

SETTINGS = densecl.Settings(weight=0.3, queue=16, momentum=0.9, temperature=0.3)


@pytest.fixture
def a_method(make_network, with_simple_views):
    """In eval mode, with a slow copy that is behind."""
    method = with_simple_views(densecl).Method(make_network(), SETTINGS).eval()
    with torch.no_grad():
        for slow in (method.slow_network, method.slow_projector, method.slow_dense_projector):
            for parameter in slow.parameters():
                parameter.mul_(0.8)
    return method


def places_of(features):
    """The rows of (1, D, 2, 2)."""
    return [features[0, :, row, column].detach() for row in range(2) for column in range(2)]


def told_apart(query, key, past, cosine):
    scores = [cosine(query, row) / 0.3 for row in (key, *past)]
    return math.log(sum(map(math.exp, scores))) - scores[0]


def test_the_terms_equal_slow_loops(a_method, a_batch, cosine):
    past, dense_past = a_method.queue.snapshot(), a_method.dense_queue.snapshot()

    terms = a_method.loss_terms(a_batch, Generator())

    images, dense = [], []
    for image in a_batch.images[:, None]:
        seen = a_method.network.encode(image)[-1]
        other = a_method.slow_network.encode(image.flip(-2))[-1]
        query, key = a_method.projector(seen)[0].detach(), a_method.slow_projector(other)[0]
        images.append(told_apart(query, key, past, cosine))
        queries, keys = (
            places_of(head(features))
            for head, features in ((a_method.dense_projector, seen), (a_method.slow_dense_projector, other))
        )
        for place, own in zip(places_of(seen), queries, strict=True):
            similar = [cosine(place, theirs) for theirs in places_of(other)]
            partner = similar.index(max(similar))
            dense.append(told_apart(own, keys[partner], dense_past, cosine))
    assert list(terms) == ["image", "dense"]
    assert len(dense) == 16
    assert terms["image"].item() == pytest.approx(0.7 * sum(images) / 4, rel=1e-4)
    assert terms["dense"].item() == pytest.approx(0.3 * sum(dense) / 16, rel=1e-4)


def test_counterparts_are_the_most_similar_places_of_any_length():
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).T.view(1, 2, 3, 1)
    second = torch.tensor([[0.1, 9.0], [0.5, 0.6], [0.01, 0.0]]).T.view(1, 2, 1, 3)

    assert densecl.counterparts(first, second).tolist() == [[2, 0, 1]]


def test_places_that_moved_are_found_again():
    features = torch.randn(2, 8, 3, 4)

    partners = densecl.counterparts(features, features.flip(-1))

    mirrored = torch.arange(12).view(3, 4).flip(-1).flatten()
    assert torch.equal(partners, mirrored.expand(2, -1))


def test_the_mean_place_of_each_image_joins_the_dense_queue(a_method, a_batch):
    past = a_method.dense_queue.snapshot()

    a_method.loss_terms(a_batch, Generator())

    keys = a_method.slow_dense_projector(a_method.slow_network.encode(a_batch.images.flip(-2))[-1])
    expected = torch.cat([F.normalize(keys.mean((2, 3)), dim=1), past[4:]])
    torch.testing.assert_close(a_method.dense_queue.snapshot(), expected, rtol=1e-4, atol=1e-5)
