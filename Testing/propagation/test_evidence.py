"""Evidence is combined: scores add up, a model changes the odds, components stay where they were."""

from __future__ import annotations

import numpy as np

from ContrastiveSegLib.propagation.evidence import decided, together, with_evidence
from ContrastiveSegLib.propagation.model_likelihood import ModelEvidence
from Testing.propagation import drawings
from Testing.propagation.drawings import logits_of

SHAPE = (50, 50)


def disk(radius: float, column: int = 25) -> np.ndarray:
    return drawings.disk(SHAPE, (25, column), radius)


def logits(mask: np.ndarray, sure: float = 3.0) -> np.ndarray:
    return logits_of(mask, sure)


def test_scores_add_up_and_are_shared_out_among_the_classes() -> None:
    ones = np.ones((1, *SHAPE))
    one, other = np.concatenate([0 * ones, 1 * ones]), np.concatenate([0 * ones, -3 * ones])

    found = together(one, other)

    np.testing.assert_allclose(found.sum(axis=0), 1)
    np.testing.assert_allclose(found[1], 1 / (1 + np.exp(2)))


def test_evidence_changes_the_odds_of_those_inside_by_its_logits() -> None:
    probabilities = np.full((3, *SHAPE), 1 / 3)
    one = ModelEvidence(np.full(SHAPE, 2.0, np.float32), members=(2, 3))

    background, wall, chamber = with_evidence(probabilities, [0, 2, 3], [one])

    np.testing.assert_allclose(wall / background, np.exp(2), rtol=1e-3)
    np.testing.assert_allclose(wall, chamber)


def test_two_answers_make_a_wall_between_them() -> None:
    probabilities = np.full((3, *SHAPE), 1 / 3)
    outline, chamber = disk(15), disk(8)
    evidence = [ModelEvidence(logits(outline), (2, 3)), ModelEvidence(logits(chamber), (3,))]
    before = np.where(outline, 2, 0).astype(np.int32)
    before[chamber] = 3

    found = decided(with_evidence(probabilities, [0, 2, 3], evidence), [0, 2, 3], before)

    np.testing.assert_array_equal(found, before)


def test_components_that_do_not_touch_where_it_was_are_dropped_and_gaps_filled() -> None:
    here, there, gap = disk(8, column=15), disk(5, column=40), disk(2, column=15)
    probabilities = np.stack([np.full(SHAPE, 0.5), np.where((here & ~gap) | there, 0.9, 0.1)])

    found = decided(probabilities, [0, 6], np.where(here, 6, 0).astype(np.int32))

    np.testing.assert_array_equal(found == 6, here)


def test_a_named_hole_is_no_gap() -> None:
    outer, hole = disk(12) & ~disk(6), disk(6)
    probabilities = np.stack([np.full(SHAPE, 0.3), np.where(outer, 0.9, 0.1), np.where(hole, 0.9, 0.1)])
    before = np.where(outer, 4, np.where(hole, -4, 0)).astype(np.int32)

    np.testing.assert_array_equal(decided(probabilities, [0, 4, -4], before), before)
