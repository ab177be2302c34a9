"""A prompt, the answer of the model, and what is accepted of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from ContrastiveSegLib.propagation.refine import Rules, refine_slice, refine_volume
from ContrastiveSegLib.sam._model import Answer, Prompt
from Testing.propagation import drawings
from Testing.propagation.drawings import Painted, dice

SHAPE = (48, 64)
BLANK = np.zeros(SHAPE, np.uint8)
# A narrow box, because the model below is guided by the area of the box.
RULES = Rules(padding=1)
disk = partial(drawings.disk, SHAPE)
CHAMBER, WALL_OUTLINE, BESIDE = disk((24, 36), 8), disk((24, 36), 14), disk((24, 10), 7)


def labeled(chamber: np.ndarray, outline: np.ndarray, beside: np.ndarray) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int16)
    labels[beside] = 1
    labels[outline] = 2
    labels[chamber] = 3
    return labels


def test_worn_structures_become_the_true_ones_and_the_wall_between_them_too() -> None:
    coarse = labeled(disk((24, 36), 7), disk((24, 36), 12), disk((24, 11), 5))
    model = Painted(CHAMBER, WALL_OUTLINE, BESIDE)

    refined, asked = refine_slice(model, BLANK, coarse, RULES)

    np.testing.assert_array_equal(refined, labeled(CHAMBER, WALL_OUTLINE, BESIDE))
    assert all(line.acceptance.accepted for line in asked)
    assert {line.value: line.is_nested for line in asked} == {1: False, 2: True, 3: False}


def test_a_model_that_sees_only_the_chamber_cannot_take_the_wall_away() -> None:
    coarse = labeled(disk((24, 36), 6), WALL_OUTLINE, BESIDE)
    model = Painted(CHAMBER, BESIDE)

    refined, asked = refine_slice(model, BLANK, coarse, RULES)

    np.testing.assert_array_equal(refined, labeled(CHAMBER, WALL_OUTLINE, BESIDE))
    (wall,) = [line for line in asked if line.value == 2]
    assert not wall.acceptance.accepted
    assert wall.acceptance.reason == "overlap 0.32 is below 0.50"


def test_a_wall_of_which_nothing_would_be_left_is_refused_even_if_its_contour_is_accepted() -> None:
    coarse = labeled(disk((24, 36), 11), WALL_OUTLINE, BESIDE)
    model = Painted(disk((24, 36), 11), BESIDE)

    refined, asked = refine_slice(model, BLANK, coarse, RULES)

    (wall,) = [line for line in asked if line.value == 2]
    assert wall.acceptance.reason == "of the wall that would be left: nothing was found"
    np.testing.assert_array_equal(refined, coarse)


def test_a_chamber_that_would_take_its_wall_is_refused() -> None:
    coarse = labeled(disk((24, 36), 10), WALL_OUTLINE, BESIDE)
    model = Painted(disk((24, 36), 13), WALL_OUTLINE, BESIDE)

    refined, asked = refine_slice(model, BLANK, coarse, RULES)

    (chamber,) = [line for line in asked if line.value == 3]
    assert chamber.acceptance.overlap > 0.5
    assert chamber.acceptance.reason.startswith("of the wall around it: overlap 0.")
    np.testing.assert_array_equal(refined, coarse)


def test_what_acceptance_refuses_stays_pixel_by_pixel() -> None:
    coarse = np.where(disk((24, 20), 5), 4, 0).astype(np.int16)
    model = Painted(disk((24, 30), 14))

    refined, asked = refine_slice(model, BLANK, coarse, RULES)

    np.testing.assert_array_equal(refined, coarse)
    assert asked[0].acceptance.reason.startswith("overlap")
    assert (asked[0].before, asked[0].after) == (coarse.astype(bool).sum(), model.answers[0].sum())


def test_the_coarse_outline_is_shown_to_models_that_understand_it() -> None:
    coarse = labeled(disk((24, 36), 7), disk((24, 36), 12), disk((24, 11), 5))
    boxes, shown = Painted(CHAMBER, WALL_OUTLINE, BESIDE), Painted(CHAMBER, WALL_OUTLINE, BESIDE)

    refine_slice(boxes, BLANK, coarse, RULES)
    refine_slice(shown, BLANK, coarse, replace(RULES, photographs=True))

    assert all(prompt.is_box for prompt in boxes.prompts)
    filled = [coarse >= 2, coarse == 3, coarse == 1]
    for prompt, outline in zip(shown.prompts, filled, strict=True):
        np.testing.assert_array_equal(prompt.outline, outline)


@pytest.mark.parametrize("photographs", [True, False])
def test_what_a_model_of_photographs_finds_must_not_lie_on_a_fainter_border(photographs: bool) -> None:
    organ, wider = disk((24, 30), 10), disk((24, 30), 12)
    image = np.where(organ, 200, 40).astype(np.uint8)
    rules = replace(RULES, photographs=photographs)

    away, (refused,) = refine_slice(Painted(wider), image, np.where(organ, 1, 0), rules)
    back, (accepted,) = refine_slice(Painted(organ), image, np.where(wider, 1, 0), rules)

    np.testing.assert_array_equal(away, organ if photographs else wider)
    assert refused.acceptance.reason.startswith("its border is fainter" if photographs else "")
    assert refused.acceptance.accepted is not photographs
    np.testing.assert_array_equal(back, organ)
    assert accepted.acceptance.accepted


def test_of_several_passes_a_model_of_photographs_answers_with_the_clearest() -> None:
    organ, wider = disk((24, 30), 10), disk((24, 30), 11)
    image = np.where(organ, 200, 40).astype(np.uint8)

    class Worse(Painted):
        """Finds the organ first, and more than that when it is asked again."""

        def _one(self, prompt: Prompt) -> Answer:
            self.answers = (organ,) if prompt.logits is None else (wider,)
            return super()._one(prompt)

    coarse = np.where(disk((24, 31), 11), 1, 0)
    last, _ = refine_slice(Worse(), image, coarse, replace(RULES, passes=2))
    best, _ = refine_slice(Worse(), image, coarse, replace(RULES, passes=2, photographs=True))

    np.testing.assert_array_equal(last, wider)
    np.testing.assert_array_equal(best, organ)


def test_without_acceptance_the_same_answer_is_taken() -> None:
    coarse = np.where(disk((24, 20), 5), 4, 0).astype(np.int16)
    model = Painted(disk((24, 30), 14))

    refined, _ = refine_slice(model, BLANK, coarse, Rules(acceptance=0))

    np.testing.assert_array_equal(refined == 4, disk((24, 30), 14))


def test_small_components_are_not_asked_for_and_stay() -> None:
    coarse = np.zeros(SHAPE, np.int16)
    coarse[4:7, 4:7] = 1
    model = Painted(BESIDE)

    refined, asked = refine_slice(model, BLANK, coarse, Rules(smallest_component=10))

    np.testing.assert_array_equal(refined, coarse)
    assert model.prompts == []
    assert (asked[0].acceptance.reason, asked[0].score, asked[0].after) == (
        "too small to ask for",
        None,
        None,
    )


def test_each_component_of_a_structure_has_its_own_box() -> None:
    one, other = disk((12, 12), 6), disk((34, 48), 8)
    coarse = np.where(one | other, 5, 0).astype(np.int16)

    _, asked = refine_slice(Painted(one, other), BLANK, coarse, Rules(padding=0))

    assert [(line.component, line.before) for line in asked] == [(1, other.sum()), (2, one.sum())]


def test_the_second_pass_sees_the_answer_of_the_first() -> None:
    model = Painted(BESIDE)

    refine_slice(model, BLANK, np.where(BESIDE, 1, 0), Rules(passes=2))

    first, second = model.prompts
    assert first.logits is None
    assert second.logits is not None
    assert second.box == first.box


def test_where_two_structures_claim_a_pixel_the_surer_has_it() -> None:
    class Sure(Painted):
        def _one(self, prompt: Prompt) -> Answer:
            answer = super()._one(prompt)
            factor = 2.0 if answer.mask[24, 4] else 1.0
            return Answer(answer.logits * np.float32(factor), answer.score, answer.low_resolution)

    left, right = disk((24, 12), 10), disk((24, 28), 10)
    coarse = np.where(ndimage.binary_erosion(left, iterations=3), 1, 0)
    coarse = np.where(ndimage.binary_erosion(right, iterations=3), 2, coarse)

    refined, _ = refine_slice(Sure(left, right), BLANK, coarse, RULES)

    assert (refined[left] == 1).all()
    assert (refined[right & ~left] == 2).all()


def test_a_hole_without_a_name_is_background_again_at_the_end() -> None:
    coarse = np.where(WALL_OUTLINE & ~disk((24, 36), 6), 2, 0)

    refined, _ = refine_slice(Painted(CHAMBER, WALL_OUTLINE), BLANK, coarse, RULES)

    np.testing.assert_array_equal(refined == 2, WALL_OUTLINE & ~CHAMBER)
    assert set(np.unique(refined)) == {0, 2}


def test_empty_slices_are_not_shown_to_the_model() -> None:
    class Counting(Painted):
        seen = 0

        def encode(self, image: np.ndarray) -> Any:
            self.seen += 1
            return image

    labels = np.zeros((3, *SHAPE), np.int16)
    labels[1][BESIDE] = 1
    model = Counting(BESIDE)

    found = list(refine_volume(model, np.zeros((3, *SHAPE), np.uint8), labels, Rules()))

    assert model.seen == 1
    assert [k for k, _, _ in found] == [0, 1, 2]
    assert [len(lines) for _, _, lines in found] == [0, 1, 0]
    assert found[1][2][0].slice == 1


@pytest.mark.parametrize("wear", [1, 2, 3])
def test_dice_never_falls_when_the_model_is_right(wear: int) -> None:
    coarse = np.where(ndimage.binary_erosion(BESIDE, iterations=wear), 1, 0)

    refined, _ = refine_slice(Painted(BESIDE), BLANK, coarse, RULES)

    assert dice(refined == 1, BESIDE) >= dice(coarse == 1, BESIDE)
