"""Validation scores equal hand values, with patients as the unit."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.training.validation import Validation

SHAPE = (3, 32, 32)


class ReadsGrayValues(nn.Module):
    """A network for which gray value 0, 0.5 and 1 are background, liver and spleen."""

    def forward(self, images: Tensor) -> Tensor:
        centers = torch.tensor([0, 0.5, 1]).view(1, 3, 1, 1)
        return -100 * (images - centers).abs()


@pytest.fixture
def make_validation(tmp_path, a_compute, a_label_table):
    told = []

    def make(cases) -> Validation:
        validation = Validation(
            Predictor(ReadsGrayValues(), (32, 32), a_compute),
            cases,
            table=a_label_table,
            path=tmp_path / "metrics.csv",
            log_event=lambda kind, **facts: told.append((kind, facts)),
        )
        validation.told = told
        return validation

    return make


def blocks(*rows: tuple[int, int, int]) -> np.ndarray:
    """A label map with the value of each (value, first, last) in those rows."""
    labels = np.zeros(SHAPE, np.int16)
    for value, first, last in rows:
        labels[:, first:last] = value
    return labels


@pytest.fixture
def make_judged(make_case):
    """A maker of cases for which the network says `predicted` where `true` is right."""

    def make(name, predicted, true, *, patient=""):
        return make_case(name, patient=patient, shape=SHAPE, images=predicted[None] / 2, labels=true)

    return make


def test_a_perfect_network_scores_one(make_validation, make_judged):
    labels = blocks((1, 0, 10), (2, 20, 30))

    assert make_validation([make_judged("a", labels, labels)]).score(5) == pytest.approx(1)


def test_the_score_is_the_mean_over_structures_of_the_mean_over_patients(make_validation, make_judged):
    true = blocks((1, 0, 10), (2, 20, 30))
    cases = [
        make_judged("a1", blocks((1, 0, 10), (2, 20, 30)), true, patient="a"),  # 1, 1
        make_judged("a2", blocks((1, 5, 10), (2, 20, 30)), true, patient="a"),  # 2/3, 1
        make_judged("b1", blocks((1, 5, 15)), true, patient="b"),  # 0.5, 0
    ]
    validation = make_validation(cases)

    score = validation.score(8)

    liver, spleen = ((1 + 2 / 3) / 2 + 0.5) / 2, (1 + 0) / 2
    assert score == pytest.approx((liver + spleen) / 2)
    (kind, facts), *_ = validation.told
    assert (kind, facts["step"]) == ("validation", 8)
    assert facts["dice"] == pytest.approx({"liver": liver, "spleen": spleen})


@pytest.mark.filterwarnings("error")
def test_structures_that_are_nowhere_do_not_count(make_validation, make_judged):
    liver = blocks((1, 0, 10))
    cases = [
        make_judged("a", blocks((1, 0, 10), (2, 20, 30)), blocks((1, 0, 10), (2, 20, 30))),
        make_judged("b", liver, liver),
    ]

    assert make_validation(cases).score(1) == pytest.approx(1)
    assert make_validation(cases[1:]).score(1) == pytest.approx(1)
    assert math.isnan(make_validation([make_judged("c", blocks(), blocks())]).score(1))


def test_metrics_have_a_line_per_score_and_repeated_steps_replace_later_ones(make_validation, make_judged):
    labels = blocks((1, 0, 10), (2, 20, 30))
    validation = make_validation([make_judged("a", labels, labels)])

    for step in (10, 20, 30, 20):  # resumed after step 10
        validation.score(step)

    with validation.path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["10", "20"]
    assert float(rows[0]["liver"]) == float(rows[0]["spleen"]) == 1
