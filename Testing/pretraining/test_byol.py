"""BYOL's term equals a value computed without its code, and the slow copy takes no gradient but moves."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import byol


@pytest.fixture
def a_method(make_network, with_simple_views):
    """In eval mode, with a slow copy that is behind."""
    settings = byol.Settings(momentum=0.8, hidden=32)
    method = with_simple_views(byol).Method(make_network(), settings).eval()
    with torch.no_grad():
        for parameter in (*method.slow_network.parameters(), *method.slow_projector.parameters()):
            parameter.mul_(0.7)
    return method


def test_each_view_predicts_what_the_slow_copy_sees_in_the_other(a_method, a_batch, cosine):
    a_method.progress = 0.5

    terms = a_method.loss_terms(a_batch, Generator())

    distances = []
    for image in a_batch.images[:, None]:
        for view, other in ((image, image.flip(-2)), (image.flip(-2), image)):
            seen = a_method.projector(a_method.network.encode(view)[-1])
            target = a_method.slow_projector(a_method.slow_network.encode(other)[-1])[0]
            distances.append(2 - 2 * cosine(a_method.predictor(seen)[0].detach(), target))
    assert list(terms) == ["prediction"]
    assert terms["prediction"].item() == pytest.approx(sum(distances) / 8, rel=1e-4)


@pytest.mark.parametrize(("progress", "momentum"), [(0.0, 0.8), (0.5, 0.9), (1.0, 1.0)])
def test_the_slow_copy_follows_ever_more_slowly(a_method, a_batch, progress, momentum):
    pairs = [
        (mine, mine.clone(), theirs)
        for slow, fast in (
            (a_method.slow_network, a_method.network),
            (a_method.slow_projector, a_method.projector),
        )
        for mine, theirs in zip(slow.parameters(), fast.parameters(), strict=True)
    ]
    a_method.progress = progress

    a_method.loss_terms(a_batch, Generator())

    assert any(not torch.equal(before, theirs) for _, before, theirs in pairs)
    for mine, before, theirs in pairs:
        torch.testing.assert_close(mine, momentum * before + (1 - momentum) * theirs)


def test_the_slow_copy_takes_no_gradient(a_method, a_batch):
    a_method.loss_terms(a_batch, Generator())["prediction"].backward()

    slow = (*a_method.slow_network.parameters(), *a_method.slow_projector.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in slow)
    for part in (a_method.network.encoder, a_method.projector, a_method.predictor):
        assert any(parameter.grad.any() for parameter in part.parameters())


def test_the_predictor_has_one_layer_of_4096_hidden_units(make_network):
    predictor = byol.Method(make_network(base_channels=8), byol.Settings()).predictor

    first, _, second = predictor.layers
    assert first.weight.shape == (4096, 128)
    assert second.weight.shape == (128, 4096)
