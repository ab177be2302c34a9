"""The linear probe finds what is linear in the features, and nothing in features that know nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def linear_probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import linear_probe as module

    yield module
    sys.modules.pop("linear_probe")


def test_the_ridge_finds_weights_and_constant_of_a_linear_map(linear_probe: ModuleType) -> None:
    features = np.random.default_rng(0).normal(size=(500, 3))
    targets = features @ np.array([[2.0, 0.0], [0.0, -1.0], [0.5, 0.5]]) + np.array([10.0, -4.0])

    weights = linear_probe.ridge(features, targets)

    assert weights == pytest.approx(np.array([[2.0, 0.0], [0.0, -1.0], [0.5, 0.5], [10.0, -4.0]]), abs=0.15)
    assert np.abs(linear_probe.with_one(features) @ weights - targets).mean() < 0.05


def test_half_of_the_chosen_pixels_lie_in_structures_where_there_are_any(linear_probe: ModuleType) -> None:
    labels = np.zeros((2, 20, 30), int)
    labels[0, 5, 7:9] = 3

    chosen = linear_probe._chosen(labels, np.random.default_rng(0))

    inside = labels.reshape(2, -1)[np.arange(2)[:, None], chosen] > 0
    assert chosen.shape == (2, linear_probe.PIXELS)
    assert inside[0].mean() >= 0.5
    assert not inside[1].any()


def test_features_are_those_of_the_chosen_pixel_at_every_level(linear_probe: ModuleType) -> None:
    import torch

    fine = torch.arange(2 * 8 * 8.0).view(2, 1, 8, 8)
    labels = np.zeros((2, 6, 7), int)  # smaller than the padded slice

    found = linear_probe._pixels([fine, torch.full((2, 3, 4, 4), 5.0)], labels, np.array([[0, 8], [7, 41]]))

    assert found[:, 0].tolist() == [0.0, 9.0, 64 + 8.0, 64 + 8 * 5 + 6]
    assert (found[:, 1:] == 5).all()
