"""SimSiam's term equals a value computed without its code, and one side of it stands still."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import simsiam


@pytest.fixture
def a_method(a_network, with_simple_views):
    return with_simple_views(simsiam).Method(a_network, simsiam.Settings()).eval()


def test_each_view_predicts_the_other(a_method, a_batch, cosine):
    terms = a_method.loss_terms(a_batch, Generator())

    distances = []
    for image in a_batch.images[:, None]:
        seen = [a_method.projector(a_method.network.encode(v)[-1]).detach() for v in (image, image.flip(-2))]
        for own, other in (seen, seen[::-1]):
            distances.append(2 - 2 * cosine(a_method.predictor(own)[0].detach(), other[0]))
    assert list(terms) == ["prediction"]
    assert terms["prediction"].item() == pytest.approx(sum(distances) / 8, rel=1e-4)


def test_the_gradient_of_the_projector_comes_through_the_prediction_only(a_method, a_batch, monkeypatch):
    """With a predictor whose output takes no gradient, nothing is left to learn from."""
    predict = a_method.predictor.forward
    monkeypatch.setattr(a_method.predictor, "forward", lambda rows: predict(rows.detach()))

    a_method.loss_terms(a_batch, Generator())["prediction"].backward()

    assert all(parameter.grad is None for parameter in a_method.projector.parameters())
    assert all(parameter.grad.any() for parameter in a_method.predictor.parameters())


def test_the_predictor_is_a_bottleneck_of_a_quarter(a_method):
    first, _, second = a_method.predictor.layers

    assert first.weight.shape == (16, 64)
    assert second.weight.shape == (64, 16)
    assert not any(isinstance(part, torch.nn.BatchNorm1d) for part in a_method.modules())
