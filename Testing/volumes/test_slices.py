"""Slices remember their height."""

from __future__ import annotations


def test_heights_rise_from_one_slice_to_one(a_labeled_case):
    heights = [a_labeled_case.height(k) for k in range(6)]

    assert heights == [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1]


def test_shape_and_channels_are_those_of_the_arrays(make_case):
    case = make_case(shape=(4, 36, 48), channels=3)

    assert case.images.shape == (case.channels, *case.shape) == (3, 4, 36, 48)
