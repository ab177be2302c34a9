"""What a model is told about an outline: its box, and to some the outline itself with a point inside."""

from __future__ import annotations

import numpy as np

from ContrastiveSegLib.prompting.asking import box_around, middle_of, prompt_for

SHAPE = (40, 50)


def drawn(*where: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for part in where:
        mask[part] = True
    return mask


def test_a_box_names_the_outermost_pixels_and_stays_within_the_slice() -> None:
    mask = drawn(np.s_[2:11, 40:48])

    assert box_around(mask, 0) == (40, 2, 47, 10)
    assert box_around(mask, 5) == (35, 0, 49, 15)


def test_the_middle_of_a_bracket_lies_in_its_thickest_part_and_not_in_its_hollow() -> None:
    bracket = drawn(np.s_[5:35, 10:19], np.s_[5:8, 10:40], np.s_[32:35, 10:40])

    column, row = middle_of(bracket)

    assert bracket[int(row), int(column)]
    assert column == 14


def test_the_border_of_the_slice_bounds_a_structure_too() -> None:
    assert middle_of(drawn(np.s_[:, 0:9]))[0] == 4


def test_only_who_understands_outlines_is_shown_them() -> None:
    mask = drawn(np.s_[10:15, 20:27])

    plain, shown = (prompt_for(mask, 3, shown=way) for way in (False, True))

    assert plain.is_box
    assert not shown.is_box
    assert shown.box == plain.box == (17, 7, 29, 17)
    assert shown.outline is mask
    assert shown.points == ((22, 12, True),)
