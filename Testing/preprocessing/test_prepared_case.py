"""Slices remember their height."""

from __future__ import annotations

from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL


def test_slice_positions_rise_from_one_slice_to_one(a_labeled_case):
    slice_positions = [a_labeled_case.slice_position(k) for k in range(6)]

    assert slice_positions == [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1]


def test_shape_and_channels_are_those_of_the_arrays(make_case):
    case = make_case(shape=(4, 36, 48), channels=3)

    assert case.images.shape == (case.channels, *case.shape) == (3, 4, 36, 48)


def test_of_an_unannotated_case_every_voxel_is_unknown(a_labeled_case):
    case = a_labeled_case.as_unannotated()

    assert case.label_map.shape == a_labeled_case.shape
    assert (case.label_map == IGNORE_LABEL).all()
    assert (case.name, case.annotation) == (a_labeled_case.name, "none")
