"""Witnesses decide together; a model is heard where it means the same figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ContrastiveSegLib.prompting._model import Answer, Prompt
from ContrastiveSegLib.prompting.witnesses import (
    SUREST,
    Opinion,
    Trust,
    ask_about,
    believed,
    decided,
    persuaded,
    together,
    trust_in,
)

SHAPE = (50, 50)


def disk(radius: float, row: int = 25, column: int = 25) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    inside: np.ndarray = np.hypot(rows - row, columns - column) <= radius
    return inside


def logits(mask: np.ndarray, sure: float = 3.0) -> np.ndarray:
    return np.where(mask, np.float32(sure), np.float32(-sure))


class Painted:
    """Answers each prompt with the structure that fills most of its box."""

    def __init__(self, *answers: np.ndarray) -> None:
        self.answers, self.prompts = answers, list[Prompt]()

    def encode(self, image: np.ndarray) -> Any:
        return image

    def predict(self, encoded: Any, prompts: Sequence[Prompt]) -> list[Answer]:  # noqa: ARG002
        self.prompts += prompts
        return [self._one(prompt) for prompt in prompts]

    def _one(self, prompt: Prompt) -> Answer:
        left, top, right, bottom = (int(n) for n in prompt.box or (0, 0, 0, 0))
        box = np.zeros(SHAPE, bool)
        box[top : bottom + 1, left : right + 1] = True
        best = max(self.answers, key=lambda mask: (mask & box).sum() / (mask | box).sum())
        return Answer(logits(best, 20.0), 0.8, logits(best)[::2, ::2])


def test_scores_add_up_and_are_shared_out_among_the_classes() -> None:
    ones = np.ones((1, *SHAPE))
    one, other = np.concatenate([0 * ones, 1 * ones]), np.concatenate([0 * ones, -3 * ones])

    found = together(one, other)

    np.testing.assert_allclose(found.sum(axis=0), 1)
    np.testing.assert_allclose(found[1], 1 / (1 + np.exp(2)))


def test_an_opinion_moves_the_odds_of_those_inside_by_its_logits() -> None:
    probabilities = np.full((3, *SHAPE), 1 / 3)
    opinion = Opinion(np.full(SHAPE, 2.0, np.float32), members=(2, 3))

    background, wall, chamber = persuaded(probabilities, [0, 2, 3], [opinion])

    np.testing.assert_allclose(wall / background, np.exp(2), rtol=1e-3)
    np.testing.assert_allclose(wall, chamber)


def test_two_opinions_make_a_ring_between_them() -> None:
    probabilities = np.full((3, *SHAPE), 1 / 3)
    outline, chamber = disk(15), disk(8)
    opinions = [Opinion(logits(outline), (2, 3)), Opinion(logits(chamber), (3,))]
    before = np.where(outline, 2, 0).astype(np.int32)
    before[chamber] = 3

    found = decided(persuaded(probabilities, [0, 2, 3], opinions), [0, 2, 3], before)

    np.testing.assert_array_equal(found, before)


def test_pieces_that_do_not_touch_where_it_was_are_dropped_and_gaps_filled() -> None:
    here, there, gap = disk(8, column=15), disk(5, column=40), disk(2, column=15)
    probabilities = np.stack([np.full(SHAPE, 0.5), np.where((here & ~gap) | there, 0.9, 0.1)])

    found = decided(probabilities, [0, 6], np.where(here, 6, 0).astype(np.int32))

    np.testing.assert_array_equal(found == 6, here)


def test_a_named_hole_is_no_gap() -> None:
    ring, hole = disk(12) & ~disk(6), disk(6)
    probabilities = np.stack([np.full(SHAPE, 0.3), np.where(ring, 0.9, 0.1), np.where(hole, 0.9, 0.1)])
    before = np.where(ring, 4, np.where(hole, -4, 0)).astype(np.int32)

    np.testing.assert_array_equal(decided(probabilities, [0, 4, -4], before), before)


def test_each_figure_is_shown_and_asked_for_by_its_box() -> None:
    labels = np.where(disk(15), 2, 0).astype(np.int32)
    labels[disk(8)] = 3
    model = Painted(disk(15), disk(8))

    outline, chamber = ask_about(model, None, labels)

    assert (set(outline.members), set(chamber.members)) == ({2, 3}, {3})
    np.testing.assert_array_equal(outline.logits > 0, disk(15))
    assert np.abs(outline.logits).max() == SUREST
    assert [prompt.is_box for prompt in model.prompts] == [False, True, False, True]
    np.testing.assert_array_equal(model.prompts[0].outline, disk(15))


@pytest.mark.parametrize("found", [disk(3), disk(8, column=40)])
def test_an_answer_about_something_else_is_not_heard(found: np.ndarray) -> None:
    assert ask_about(Painted(found), None, np.where(disk(12), 1, 0).astype(np.int32)) == []


def test_a_ring_is_not_heard_of_where_only_its_inside_was_found() -> None:
    labels = np.where(disk(15), 2, 0).astype(np.int32)
    labels[disk(11)] = 3

    (chamber,) = ask_about(Painted(disk(11)), None, labels)

    assert chamber.members == (3,)


def test_tiny_pieces_are_not_asked_for() -> None:
    model = Painted(disk(1))

    assert ask_about(model, None, np.where(disk(1), 1, 0).astype(np.int32)) == []
    assert model.prompts == []


def test_a_model_is_believed_as_far_as_it_was_right_about_the_annotated_slice() -> None:
    labels = np.where(disk(8), 3, 0).astype(np.int32)
    right, greedy = Opinion(logits(disk(8)), (3,)), Opinion(logits(disk(14)), (3,))

    honest, useless = (trust_in([opinion], labels, reach=4.0)[3] for opinion in (right, greedy))

    near = [((disk(8 + 4) | disk(8)) & ~disk(8)).sum(), (disk(8) & ~disk(4)).sum()]
    assert min(near) > 60  # so many pixels that one more hardly counts
    assert honest == Trust(SUREST, -SUREST)
    assert (useless.inside, useless.outside) == pytest.approx((0, 0), abs=0.01)


def test_trust_is_the_ratio_of_right_to_wrong_near_the_border() -> None:
    labels, said = np.zeros(SHAPE, np.int32), np.zeros(SHAPE, bool)
    labels[:, 25:] = 3
    said[:, 23:] = said[:10, 15:] = True  # two columns too much, in the first ten rows ten

    found = trust_in([Opinion(logits(said), (3,))], labels, reach=4.0)[3]

    right, wrong = 201 / 202, (40 * 2 + 10 * 4 + 1) / 202
    assert found.inside == pytest.approx(np.log(right / wrong))
    assert found.outside == pytest.approx(max(-SUREST, np.log((1 - right) / (1 - wrong))))


def test_a_believed_opinion_is_worth_what_it_was_worth_before() -> None:
    opinions = [Opinion(logits(disk(8), 30.0), (3,)), Opinion(logits(disk(8), 30.0), (5,))]

    known, new = believed(opinions, {3: Trust(2.5, -0.5)})

    np.testing.assert_allclose(known.logits, np.where(disk(8), 2.5, -0.5), atol=1e-6)
    np.testing.assert_allclose(new.logits, np.where(disk(8), SUREST / 2, -SUREST / 2), atol=1e-6)


def test_a_model_that_meant_something_else_in_the_annotated_slice_is_not_believed_later() -> None:
    labels = np.where(disk(8), 3, 0).astype(np.int32)

    assert trust_in([], labels, reach=4.0) == {3: Trust(0.0, 0.0)}
