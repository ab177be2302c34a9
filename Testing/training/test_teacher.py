"""What may be expected of a network's labels, by annotated cases that it never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ContrastiveSegLib.postprocessing.expected_dice import Expectation
from ContrastiveSegLib.training.teacher import Teacher, dice_of, expectation_of


def by_brightness(images: Tensor) -> Tensor:
    """Scores of a network that finds two classes by their gray value."""
    return torch.cat([-40 * (images - shade).square() for shade in (0.0, 1.0)], 1)


@pytest.fixture
def a_teacher(a_compute) -> Teacher:
    return Teacher(by_brightness, (32, 32), a_compute, (), ["liver"])


def drawn(make_case, n: int, *, shift: int):
    """A bright square of 16 x 16, and a person who drew it some columns beside; noise of n percent."""
    images, labels = np.zeros((1, 4, 32, 64)), np.zeros((4, 32, 64), np.int16)
    images[0, :, 8:24, 16:32] = 1 - n / 100
    labels[:, 8:24, 16 + shift : 32 + shift] = 1
    return make_case(f"case{n}", images=images, labels=labels)


def test_left_out_cases_say_which_dice_goes_with_which_certainty(make_case, a_teacher):
    # The duller the square, the less certain the network, and the farther away it was drawn.
    left_out = [drawn(make_case, n, shift=s) for n, s in ((0, 0), (44, 2), (46, 4), (48, 8))]

    expectation = expectation_of(a_teacher, [left_out[0]], left_out, {})

    assert expectation.cases == 4
    assert expectation.always == (1,)
    # Columns that both have; the network is certain of the two brightest alike, so they count by their mean.
    assert expectation.dice == pytest.approx((8 / 16, 12 / 16, (14 / 16 + 1) / 2))
    assert list(expectation.certainty) == sorted(expectation.certainty)
    assert 0.5 < expectation.certainty[0] < expectation.certainty[-1] <= 1


def test_cases_annotated_in_part_calibrate_nothing(make_case, a_teacher):
    left_out = [replace(drawn(make_case, n, shift=0), annotation="slices") for n in range(5)]

    assert expectation_of(a_teacher, [], left_out, {}) == Expectation()


def test_annotated_cases_are_judged_as_they_are_predicted(make_case, a_teacher):
    images, labels = np.zeros((1, 4, 32, 64)), np.zeros((4, 32, 64), np.int16)
    images[0, :, 8:24, 16:32] = images[0, :, 8:24, 40:46] = 1  # a square, and what is mistaken for it
    labels[:, 8:24, 16:32] = 1
    case = make_case("case", images=images, labels=labels)
    partly = replace(case, labels=np.where(np.arange(64) < 24, labels, -1), annotation="slices")

    assert dice_of(a_teacher, [case], {}) == pytest.approx([2 * 16 / (16 + 22)])
    assert dice_of(replace(a_teacher, components=((1,),)), [case], {}) == pytest.approx([1])
    assert dice_of(a_teacher, [partly], {}) == pytest.approx([1])  # the right part is not annotated
    assert np.isnan(dice_of(a_teacher, [replace(case, images=0 * images, labels=0 * labels)], {})).all()
