"""What a model is told about an outline, how often, and which of its answers counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ContrastiveSegLib.propagation.prompts import asked, box_around, clearest, middle_of, showing
from ContrastiveSegLib.sam._model import Answer, Prompt

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


def test_an_outline_is_shown_with_its_exact_box_and_its_middle() -> None:
    mask = drawn(np.s_[10:15, 20:27])

    prompt = showing(mask)

    assert not prompt.is_box
    assert prompt.box == (20, 10, 26, 14)
    assert prompt.outline is mask
    assert prompt.points == ((22, 12, True),)


def answer(mask: np.ndarray, low: float = 0.0) -> Answer:
    return Answer(np.where(mask, np.float32(1), np.float32(-1)), 0.5, np.full((2, 2), low, np.float32))


class Counting:
    """Says how often it was asked, on its small grid."""

    def __init__(self) -> None:
        self.seen = list[Sequence[Prompt]]()

    def encode(self, image: np.ndarray) -> Any:
        return image

    def predict(self, encoded: Any, prompts: Sequence[Prompt]) -> list[Answer]:
        self.seen.append(prompts)
        return [answer(encoded, len(self.seen) + 10 * n) for n in range(len(prompts))]


def test_each_prompt_is_asked_again_with_its_own_answer() -> None:
    model, prompts = Counting(), [showing(drawn(np.s_[10:15, 20:27])), Prompt((0, 0, 4, 4))]

    rounds = asked(model, drawn(), prompts, 3)

    assert [[a.low_resolution[0, 0] for a in each] for each in rounds] == [[1, 11], [2, 12], [3, 13]]
    assert model.seen[0] == prompts
    for before, again in zip(rounds, model.seen[1:], strict=False):
        for old, first, prompt in zip(before, prompts, again, strict=True):
            assert prompt.logits is old.low_resolution
            assert (prompt.box, prompt.outline, prompt.points) == (first.box, first.outline, first.points)


def test_the_clearest_border_wins_unless_it_is_that_of_something_else() -> None:
    organ, wider, bone = drawn(np.s_[10:20, 10:20]), drawn(np.s_[7:23, 7:23]), drawn(np.s_[10:20, 30:40])
    image = np.where(organ, 150, np.where(bone, 255, 40)).astype(np.uint8)
    answers = [answer(mask) for mask in (wider, bone, organ)]

    assert clearest(answers, organ, image, same=0.25) is answers[2]
    assert clearest(answers[:2], organ, image, same=0.25) is answers[0]
    assert clearest(answers, bone, image, same=0.25) is answers[1]


@pytest.mark.parametrize("flat", [0, 200])
def test_of_equally_clear_answers_the_first_counts(flat: int) -> None:
    one, other = answer(drawn(np.s_[10:20, 10:20])), answer(drawn(np.s_[9:21, 9:21]))
    image = np.full(SHAPE, flat, np.uint8)

    assert clearest([one, other], one.mask, image, same=0.25) is one
    assert clearest([other, one], one.mask, image, same=0.25) is other
