"""Values of label maps are found and exchanged as a slow loop would do it, however large they are."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.imaging.label_array import label_type, translated, values_in


@pytest.mark.parametrize("largest", [32767, 65536, 2**31 - 1])
def test_values_are_listed_once_without_the_background(largest):
    array = np.random.default_rng(0).choice([0, 3, 17, largest], (4, 5, 6)).astype(label_type(largest))

    assert values_in(array) == sorted(set(array.ravel().tolist()) - {0})
    assert values_in(np.zeros((2, 2, 2), np.int16)) == []


@pytest.mark.parametrize("largest", [40, 40000, 70000, 2**31 - 1])
def test_other_numbers_for_a_label_map_are_those_that_a_slow_loop_finds(largest):
    array = np.random.default_rng(0).choice([0, 3, 17, largest - 1, largest], (3, 4, 5)).astype(np.int64)
    numbers = {3: 70000, largest: 9, 5: 1}

    found = translated(array, numbers)

    expected = [numbers.get(value, 0) for value in array.ravel().tolist()]
    np.testing.assert_array_equal(found.ravel(), expected)
