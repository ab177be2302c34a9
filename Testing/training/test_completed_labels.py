"""What was drawn stays, what was not is predicted, and a case that cannot be predicted is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training.completed_labels import complete
from ContrastiveSegLib.training.teacher import Teacher


class Listener:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)


def by_brightness(images: Tensor) -> Tensor:
    return torch.cat([-20 * (images - shade).square() for shade in (0.0, 0.5)], 1)


@pytest.fixture
def a_teacher(a_compute) -> Teacher:
    return Teacher(by_brightness, (32, 32), a_compute, ((1,),), ["liver"])


def partly_drawn(make_case, name: str, kind: str):
    """A bright square in every slice; one slice, or a line of the square, is drawn as it is not."""
    images = np.zeros((1, 4, 32, 32))
    images[0, :, 8:24, 8:24] = 0.5
    labels = np.full((4, 32, 32), IGNORE_LABEL, np.int16)
    if kind == "slices":
        labels[1] = 0
        labels[1, 8:24, 4:20] = 1
    else:
        labels[:, 10, 4:20] = 1
    return replace(make_case(name, images=images), labels=labels, annotation=kind)


@pytest.mark.parametrize("kind", ["slices", "scribbles"])
def test_what_was_drawn_stays_and_the_rest_is_predicted(kind, make_case, a_teacher, tmp_path):
    case = partly_drawn(make_case, "one", kind)

    done = complete([case], a_teacher, {}, tmp_path, Listener())[0]

    drawn, labels = case.labels != IGNORE_LABEL, np.asarray(done.labels)
    assert (labels[drawn] == case.labels[drawn]).all()
    predicted = np.zeros((4, 32, 32), int)
    predicted[:, 8:24, 8:24] = 1
    assert (labels[~drawn] == predicted[~drawn]).mean() > 0.99  # the border may be corrected by gray values
    assert done.annotation == "cases"
    assert done.classes_of_slices() == [[0, 1]] * 4


def test_whole_cases_are_not_predicted_and_what_is_there_is_taken(make_case, a_teacher, tmp_path):
    case = partly_drawn(make_case, "one", "slices")
    first = complete([make_case("whole"), case], a_teacher, {}, tmp_path, Listener())

    def never(_images: Tensor) -> Tensor:
        raise AssertionError("predicted again")

    again = complete([make_case("whole"), case], replace(a_teacher, network=never), {}, tmp_path, Listener())

    assert list(first) == list(again) == [1]
    assert (np.asarray(first[1].labels) == np.asarray(again[1].labels)).all()


def test_what_is_there_of_another_case_is_not_taken(make_case, a_teacher, tmp_path):
    lost, case = (partly_drawn(make_case, name, "slices") for name in ("lost", "one"))
    drawn = replace(lost, labels=np.where(lost.labels == IGNORE_LABEL, IGNORE_LABEL, 0).astype(np.int16))
    complete([drawn, case], a_teacher, {}, tmp_path, Listener())

    done = complete([case], a_teacher, {}, tmp_path, Listener())[0]

    assert (np.asarray(done.labels)[1] == case.labels[1]).all()


def test_a_case_that_cannot_be_predicted_is_named_and_stays_as_it_was(make_case, a_teacher, tmp_path):
    def fails(_images: Tensor) -> Tensor:
        raise RuntimeError("not enough memory")

    listener = Listener()
    cases = [partly_drawn(make_case, "one", "scribbles")]

    assert complete(cases, replace(a_teacher, network=fails), {}, tmp_path, listener) == {}
    assert listener.warnings[0].startswith("one teaches with what was drawn alone: ")
