"""MoCo's term equals a value computed without its code, and the queue remembers the keys."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator
from torch.nn import functional as F

from ContrastiveSegLib.pretraining import moco

SETTINGS = moco.Settings(queue=16, momentum=0.9, temperature=0.3)


@pytest.fixture
def a_method(make_network, with_simple_views):
    """In eval mode, with a slow copy that is behind."""
    method = with_simple_views(moco).Method(make_network(), SETTINGS).eval()
    with torch.no_grad():
        for parameter in (*method.slow_network.parameters(), *method.slow_projector.parameters()):
            parameter.mul_(0.8)
    return method


def test_the_term_equals_a_slow_loop(a_method, a_batch, cosine):
    past = a_method.queue.snapshot()

    terms = a_method.loss_terms(a_batch, Generator())

    losses = []
    for image in a_batch.images:
        query = a_method.projector(a_method.network.encode(image[None])[-1])[0].detach()
        other = a_method.slow_network.encode(image[None].flip(-2))[-1]
        key = a_method.slow_projector(other)[0]
        scores = [cosine(query, row) / 0.3 for row in (key, *past)]
        losses.append(math.log(sum(map(math.exp, scores))) - scores[0])
    assert list(terms) == ["queue"]
    assert terms["queue"].item() == pytest.approx(sum(losses) / 4, rel=1e-4)


def test_the_slow_copy_moves_a_tenth_of_the_way_before_it_looks(a_method, a_batch):
    pairs = [
        (mine, mine.clone(), theirs)
        for slow, fast in (
            (a_method.slow_network, a_method.network),
            (a_method.slow_projector, a_method.projector),
        )
        for mine, theirs in zip(slow.parameters(), fast.parameters(), strict=True)
    ]

    a_method.loss_terms(a_batch, Generator())

    assert len(pairs) > 20
    for mine, before, theirs in pairs:
        torch.testing.assert_close(mine, 0.9 * before + 0.1 * theirs)


def test_the_keys_join_the_queue_for_the_next_step(a_method, a_batch):
    past = a_method.queue.snapshot()

    a_method.loss_terms(a_batch, Generator())

    keys = a_method.slow_projector(a_method.slow_network.encode(a_batch.images.flip(-2))[-1])
    expected = torch.cat([F.normalize(keys, dim=1), past[4:]])
    torch.testing.assert_close(a_method.queue.snapshot(), expected, rtol=1e-4, atol=1e-5)


def test_the_gradient_does_not_see_what_the_step_pushed(a_method, a_batch):
    """Without a snapshot the backward pass would fail, or take the new keys for the old ones."""
    a_method.loss_terms(a_batch, Generator())["queue"].backward()

    assert next(a_method.network.parameters()).grad.any()
    assert all(parameter.grad is None for parameter in a_method.slow_network.parameters())
