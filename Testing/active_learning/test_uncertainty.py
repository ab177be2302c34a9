"""Uncertainty of slices equals hand values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ContrastiveSegLib.active_learning.uncertainty import ranks, slice_uncertainty
from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.session.device import Compute

CPU = Compute(torch.device("cpu"), "float32")


def unsure_where_dark(images):
    """Two classes: alike at gray value 0, far apart at 1."""
    return torch.cat([images * 20, -images * 20], 1)


def test_a_slice_where_all_classes_are_alike_has_the_greatest_uncertainty():
    images = np.ones((1, 3, 32, 32), np.float16)
    images[0, 1, :16] = 0
    images[0, 2] = 0

    found = slice_uncertainty(Predictor(unsure_where_dark, (32, 32), CPU), images, slices=3)

    np.testing.assert_allclose(found, [0, 0.5, 1], atol=2e-3)


def test_slices_of_another_grid_take_the_value_at_their_slice_position():
    images = np.ones((1, 2, 32, 32), np.float16)
    images[0, 1] = 0

    found = slice_uncertainty(Predictor(unsure_where_dark, (32, 32), CPU), images, slices=4)

    np.testing.assert_allclose(found, [0, 0.25, 0.75, 1], atol=2e-3)


def test_ranks_are_shares_of_smaller_values():
    assert ranks(np.array([30.0, 10.0, 20.0, 20.0])) == pytest.approx([0.875, 0.125, 0.5, 0.5])
