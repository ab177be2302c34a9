"""A few annotated slices of a completely labeled volume."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadSetting
from Testing.Benchmarks.simulated_slices import evenly, keep_slices


@pytest.fixture
def a_stack() -> np.ndarray:
    """Twelve slices, the middle nine with a structure."""
    labels = np.zeros((12, 4, 5), np.int16)
    labels[2:11, 1:3, 1:4] = np.arange(2, 11)[:, None, None]
    return labels


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (6,)), (2, (4, 8)), (3, (3, 6, 9)), (9, tuple(range(2, 11))), (99, tuple(range(2, 11)))],
)
def test_slices_are_spread_evenly_over_those_that_show_a_structure(a_stack, count, expected):
    assert evenly(a_stack, count) == expected


def test_only_the_chosen_slices_stay_and_the_labels_are_not_touched(a_stack):
    before = a_stack.copy()

    kept = keep_slices(a_stack, (3, 9))

    np.testing.assert_array_equal(a_stack, before)
    np.testing.assert_array_equal(np.flatnonzero(kept.any((1, 2))), [3, 9])
    np.testing.assert_array_equal(kept[[3, 9]], a_stack[[3, 9]])


def test_a_volume_without_structures_has_no_slice_to_annotate():
    assert evenly(np.zeros((4, 3, 3)), 2) == ()


def test_bad_numbers_are_refused(a_stack):
    with pytest.raises(BadSetting, match=r"0 annotated slices were asked for\. Ask for at least one"):
        evenly(a_stack, 0)
    with pytest.raises(BadSetting, match=r"Slice 12 was to be annotated, but .* slices 0 to 11"):
        keep_slices(a_stack, (3, 12))
