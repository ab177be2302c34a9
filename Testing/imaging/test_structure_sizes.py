"""How large structures are and where, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ContrastiveSegLib.imaging.structure_sizes import COLUMN, ROW, SLICE, sizes_of
from ContrastiveSegLib.imaging.volume import Geometry


def test_volumes_and_place_of_a_box():
    grid = Geometry((20, 10, 5), (2.0, 3.0, 10.0))
    labels = np.zeros(grid.shape, np.int16)
    labels[3:5, 2:4, 12:16] = 1

    figures = sizes_of(labels, ["heart", "lung"], grid)

    assert figures["volume of heart"] == pytest.approx(math.log(2 * 2 * 4 * 60 / 1000))
    assert math.isnan(figures["volume of lung"])
    assert figures[ROW] == pytest.approx((2.5 - 4.5) * 3)
    assert figures[COLUMN] == pytest.approx((13.5 - 9.5) * 2)
    assert figures[SLICE] == pytest.approx(3.5 / 4)


def test_an_empty_label_map_has_no_sizes():
    figures = sizes_of(np.zeros((2, 3, 4), np.int16), ["heart"], Geometry((4, 3, 2)))

    assert all(math.isnan(value) for value in figures.values())
