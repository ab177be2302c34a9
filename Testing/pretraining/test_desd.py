"""DeSD's terms equal values computed without its code, one for each depth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import desd

SETTINGS = desd.Settings(outputs=16, momentum=0.8, teacher_temperature=0.1, temperature=0.2)


@pytest.fixture
def a_method(make_network, with_simple_views):
    """In eval mode, with a slow copy that is behind and a center that has moved."""
    torch.manual_seed(0)
    method = with_simple_views(desd).Method(make_network(), SETTINGS).eval()
    with torch.no_grad():
        for parameter in (*method.slow_network.parameters(), *method.slow_head.parameters()):
            parameter.mul_(0.8)
        method.teacher.center.copy_(torch.linspace(-0.2, 0.2, 16))
    return method


def cosines(head, features, cosine):
    row = head.mlp(features.mean((2, 3)))[0]
    return np.array([cosine(row.detach(), way.detach()) for way in head.classes.directions])


def test_every_depth_predicts_what_the_slow_copy_sees_in_the_other_view(a_method, a_batch, cosine):
    center = a_method.teacher.center.clone().double().numpy()

    terms = a_method.loss_terms(a_batch, Generator())

    losses = {f"depth_{n}": [] for n in range(3)}
    for image in a_batch.images[:, None]:
        for view, other in ((image, image.flip(-2)), (image.flip(-2), image)):
            slow = cosines(a_method.slow_head.copy, a_method.slow_network.encode(other)[-1], cosine)
            raised = np.exp((slow - center) / 0.1)
            features = a_method.network.encode(view)
            for n, of_depth in enumerate(losses.values()):
                scores = cosines(a_method.heads[n], features[-1 - n], cosine) / 0.2
                denominator = math.log(np.exp(scores).sum())
                of_depth.append(-(raised / raised.sum() * (scores - denominator)).sum())
    assert list(terms) == list(losses)
    for name, term in terms.items():
        assert term.item() == pytest.approx(np.mean(losses[name]) / 3, rel=1e-4)


def test_the_heads_belong_to_the_three_deepest_levels(a_method):
    assert [head.mlp.layers[0].in_features for head in a_method.heads] == [64, 32, 16]


def test_the_center_follows_the_slow_copy(a_method, a_batch):
    before = a_method.teacher.center.clone()

    a_method.loss_terms(a_batch, Generator())

    views = torch.cat([a_batch.images, a_batch.images.flip(-2)])
    mean = a_method.slow_head(a_method.slow_network.encode(views)[-1]).mean(0)
    torch.testing.assert_close(a_method.teacher.center, 0.9 * before + 0.1 * mean, rtol=1e-4, atol=1e-5)


def test_the_slow_copy_takes_no_gradient_and_follows_ever_more_slowly(a_method, a_batch):
    pairs = [
        (mine, mine.clone(), theirs)
        for mine, theirs in zip(
            a_method.slow_network.parameters(), a_method.network.parameters(), strict=True
        )
    ]
    a_method.progress = 0.5

    torch.stack(list(a_method.loss_terms(a_batch, Generator()).values())).sum().backward()

    for mine, before, theirs in pairs:
        torch.testing.assert_close(mine, 0.9 * before + 0.1 * theirs)
        assert mine.grad is None
