"""The answers of a model count where they are about the same structure, by how often it was right."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.propagation.model_likelihood import (
    SUREST,
    Calibration,
    ModelEvidence,
    ask_about,
    calibrated_evidence,
    calibration_of,
)
from ContrastiveSegLib.propagation.prompts import by_box, by_outline
from Testing.propagation import drawings
from Testing.propagation.drawings import Painted, logits_of

SHAPE = (50, 50)


def disk(radius: float, column: int = 25) -> np.ndarray:
    return drawings.disk(SHAPE, (25, column), radius)


def logits(mask: np.ndarray, sure: float = 3.0) -> np.ndarray:
    return logits_of(mask, sure)


def test_each_contour_is_shown_and_asked_for_by_its_box() -> None:
    labels = np.where(disk(15), 2, 0).astype(np.int32)
    labels[disk(8)] = 3
    model = Painted(disk(15), disk(8), sure=20.0)

    outline, chamber = ask_about(model, by_outline, None, labels)

    assert (set(outline.members), set(chamber.members)) == ({2, 3}, {3})
    np.testing.assert_array_equal(outline.logits > 0, disk(15))
    assert np.abs(outline.logits).max() == SUREST
    assert [prompt.is_box for prompt in model.prompts] == [False, True, False, True]
    np.testing.assert_array_equal(model.prompts[0].outline, disk(15))


def test_a_model_of_boxes_is_asked_by_a_wider_box_alone() -> None:
    model = Painted(disk(8))

    ask_about(model, by_box(3), None, np.where(disk(8), 3, 0).astype(np.int32))

    (prompt,) = model.prompts
    assert prompt.is_box
    assert prompt.box == (14, 14, 36, 36)


@pytest.mark.parametrize("found", [disk(3), disk(8, column=40)])
def test_an_answer_about_something_else_does_not_count(found: np.ndarray) -> None:
    assert ask_about(Painted(found), by_outline, None, np.where(disk(12), 1, 0).astype(np.int32)) == []


def test_a_wall_has_no_evidence_where_only_its_inside_was_found() -> None:
    labels = np.where(disk(15), 2, 0).astype(np.int32)
    labels[disk(11)] = 3

    (chamber,) = ask_about(Painted(disk(11)), by_outline, None, labels)

    assert chamber.members == (3,)


def test_tiny_components_are_not_asked_for() -> None:
    model = Painted(disk(1))

    assert ask_about(model, by_outline, None, np.where(disk(1), 1, 0).astype(np.int32)) == []
    assert model.prompts == []


def test_a_model_is_believed_as_far_as_it_was_right_about_the_annotated_slice() -> None:
    labels = np.where(disk(8), 3, 0).astype(np.int32)
    right, greedy = ModelEvidence(logits(disk(8)), (3,)), ModelEvidence(logits(disk(14)), (3,))

    honest, useless = (calibration_of([one], labels, reach=4.0)[3] for one in (right, greedy))

    near = [((disk(8 + 4) | disk(8)) & ~disk(8)).sum(), (disk(8) & ~disk(4)).sum()]
    assert min(near) > 60  # so many pixels that one more hardly counts
    assert honest == Calibration(SUREST, -SUREST)
    assert (useless.inside, useless.outside) == pytest.approx((0, 0), abs=0.01)


def test_trust_is_the_ratio_of_right_to_wrong_near_the_border() -> None:
    labels, said = np.zeros(SHAPE, np.int32), np.zeros(SHAPE, bool)
    labels[:, 25:] = 3
    said[:, 23:] = said[:10, 15:] = True  # two columns too much, in the first ten rows ten

    found = calibration_of([ModelEvidence(logits(said), (3,))], labels, reach=4.0)[3]

    right, wrong = 201 / 202, (40 * 2 + 10 * 4 + 1) / 202
    assert found.inside == pytest.approx(np.log(right / wrong))
    assert found.outside == pytest.approx(max(-SUREST, np.log((1 - right) / (1 - wrong))))


def test_a_calibrated_answer_has_the_weight_it_had_before() -> None:
    evidence = [ModelEvidence(logits(disk(8), 30.0), (3,)), ModelEvidence(logits(disk(8), 30.0), (5,))]

    known, new = calibrated_evidence(evidence, {3: Calibration(2.5, -0.5)})

    np.testing.assert_allclose(known.logits, np.where(disk(8), 2.5, -0.5), atol=1e-6)
    np.testing.assert_allclose(new.logits, np.where(disk(8), SUREST / 2, -SUREST / 2), atol=1e-6)


def test_a_model_that_meant_something_else_in_the_annotated_slice_is_not_believed_later() -> None:
    labels = np.where(disk(8), 3, 0).astype(np.int32)

    assert calibration_of([], labels, reach=4.0) == {3: Calibration(0.0, 0.0)}
