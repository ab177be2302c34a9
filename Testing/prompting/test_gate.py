"""What departs too far is refused, and the reason names the number."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.prompting.gate import judge, overlap_of


def bar(length: int, start: int = 0) -> np.ndarray:
    mask = np.zeros((1, 40), bool)
    mask[0, start : start + length] = True
    return mask


def test_the_overlap_is_intersection_over_union() -> None:
    assert overlap_of(bar(10), bar(10, 5)) == pytest.approx(5 / 15)
    assert overlap_of(bar(0), bar(0)) == 1


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (bar(10), ""),
        (bar(7), ""),
        (bar(10, 5), "overlap 0.33 is below 0.50"),
        (bar(0), "nothing was found"),
    ],
)
def test_the_gate_compares_with_the_coarse_outline(new: np.ndarray, reason: str) -> None:
    verdict = judge(new, bar(10), 0.5)

    assert (verdict.reason, verdict.accepted) == (reason, not reason)


def test_an_outline_of_another_size_is_another_structure_however_low_the_gate() -> None:
    assert judge(bar(30), bar(10), 0.2).reason == "3.00 times the area"
    assert judge(bar(3), bar(10), 0.2).reason == "0.30 times the area"


def test_without_a_gate_everything_passes() -> None:
    assert judge(bar(0), bar(10), 0).accepted
    assert judge(bar(40), bar(1), 0).accepted
