"""WCL's terms equal values computed without its code: the graph of one view labels the other."""

from __future__ import annotations

import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Generator

from ContrastiveSegLib.pretraining import wcl
from ContrastiveSegLib.training.batches import Batch

COUNT = 9


@pytest.fixture
def nine_images():
    images = torch.rand(COUNT, 1, 32, 32, generator=Generator().manual_seed(3))
    return Batch(images, slice_positions=torch.full((COUNT,), 0.5), cases=torch.arange(COUNT))


@pytest.fixture
def a_method(a_network, with_simple_views):
    torch.manual_seed(0)
    return with_simple_views(wcl).Method(a_network, wcl.Settings(temperature=0.2, weight=0.7)).eval()


def labels_of(rows, cosine):
    """Components of the graph that links each image with the one most similar to it."""
    nearest = [
        max((b for b in range(COUNT) if b != a), key=lambda b, a=a: cosine(rows[a], rows[b]))
        for a in range(COUNT)
    ]
    graph = coo_array(([1] * COUNT, (range(COUNT), nearest)), shape=(COUNT, COUNT))
    return connected_components(graph, directed=False)[1]


def test_the_terms_equal_slow_loops(a_method, nine_images, slow_contrast, cosine):
    terms = a_method.loss_terms(nine_images, Generator())

    views = nine_images.images, nine_images.images.flip(-2)
    deepest = [[a_method.network.encode(image[None])[-1] for image in images] for images in views]
    own = [a_method.projector(features)[0].detach() for view in deepest for features in view]
    weak = [[a_method.weak_projector(features)[0].detach() for features in view] for view in deepest]
    labels = [labels_of(rows, cosine) for rows in weak]
    assert (labels[0] != labels[1]).any()
    assert labels[0].max() > 0
    losses = [
        slow_contrast(weak[v], lambda a, b, v=v: labels[1 - v][a] == labels[1 - v][b], temperature=0.2)
        for v in (0, 1)
    ]
    instance = slow_contrast(own, lambda a, b: a % COUNT == b % COUNT, temperature=0.2)
    assert list(terms) == ["instance", "weak_label"]
    assert terms["instance"].item() == pytest.approx(instance, rel=1e-4)
    assert terms["weak_label"].item() == pytest.approx(0.7 * sum(losses) / 2, rel=1e-4)
    assert a_method.watched["components"].item() == pytest.approx(labels[0].max() + 1)
