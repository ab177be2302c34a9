"""A case in meters or microns among millimeters is remarked on; knees and whole bodies are not."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.imaging.field_of_view import remarks_on_units
from ContrastiveSegLib.imaging.volume import Geometry


def scaled(*factors: float) -> list[Geometry]:
    return [Geometry((256, 200, 30), (0.8 * f, 0.8 * f, 5.0 * f)) for f in factors]


@pytest.mark.parametrize(
    ("factors", "wrong", "words"),
    [
        ((1, 1.2, 1000, 0.9), 2, "1000 times larger"),
        ((1, 1.2, 0.001), 2, "may give meters"),
        ((1000, 1), 0, "may give microns"),
        ((1, 0.001), 1, "may give meters"),
        ((0.001, 0.0011, 1), 2, "may give microns"),  # all of them micro-CT but one
    ],
)
def test_a_case_in_another_unit_than_most_is_remarked_on(factors, wrong, words):
    remarks = remarks_on_units(scaled(*factors))

    assert [bool(remark) for remark in remarks] == [n == wrong for n in range(len(factors))]
    assert words in remarks[wrong]


def test_parts_of_a_body_of_any_size_are_no_remark():
    assert remarks_on_units(scaled(0.15, 0.4, 1, 4, 9)) == ("",) * 5
    assert remarks_on_units([Geometry((512, 512, 1), (0.8, 0.8, 1)), *scaled(1)]) == ("", "")
    assert remarks_on_units([]) == ()
