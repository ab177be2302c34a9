"""What departs too far is refused, and the reason names the number."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.propagation.acceptance import contrast_across, judge, judge_border, overlap_of


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
def test_acceptance_compares_with_the_coarse_outline(new: np.ndarray, reason: str) -> None:
    acceptance = judge(new, bar(10), 0.5)

    assert (acceptance.reason, acceptance.accepted) == (reason, not reason)


def test_an_outline_of_another_size_is_another_structure_however_low_the_limit() -> None:
    assert judge(bar(30), bar(10), 0.2).reason == "3.00 times the area"
    assert judge(bar(3), bar(10), 0.2).reason == "0.30 times the area"


def test_without_acceptance_everything_passes() -> None:
    assert judge(bar(0), bar(10), 0).accepted
    assert judge(bar(40), bar(1), 0).accepted


def test_the_contrast_across_a_border_is_that_of_two_pixels_on_each_side() -> None:
    mask, image = np.zeros((20, 20), bool), np.full((20, 20), 255, np.uint8)
    mask[5:15, 5:15] = True
    image[3:17, 3:17] = 30
    image[mask] = 90
    image[7:13, 7:13] = 200  # too deep inside to count

    assert contrast_across(mask, image) == 60
    assert contrast_across(np.zeros_like(mask), image) == 0


def test_only_a_fainter_border_speaks_against_an_outline() -> None:
    organ, wider = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    organ[6:14, 6:14] = wider[4:16, 4:16] = True
    image = np.where(organ, 200, 50).astype(np.uint8)

    assert judge_border(organ, wider, image) == ""
    assert judge_border(organ, organ, image) == ""
    assert judge_border(wider, organ, image) == "its border is fainter: 0 gray values against 150"
