"""With prior and intensity model, structures are followed where the model takes too much or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from ContrastiveSegLib.propagation.prompts import Asking, by_box, by_outline
from ContrastiveSegLib.propagation.propagate import propagate
from ContrastiveSegLib.propagation.stopping import StopRules
from ContrastiveSegLib.propagation.tracking import GuidedPropagator
from ContrastiveSegLib.sam._model import Answer, Prompt
from Testing.propagation.drawings import dice

SHAPE, KEY = (17, 64, 64), 8
AROUND = 110
RIGHT, WALL, LEFT = 1, 2, 3


def cone(radius: float, column: float, drift: float, shrink: float) -> np.ndarray:
    """A structure (K, H, W) that drifts to the right and becomes smaller away from the annotated slice."""
    k, rows, columns = np.indices(SHAPE).astype(float)
    inside: np.ndarray = np.hypot(rows - 32, columns - column - drift * (k - KEY)) <= radius - shrink * abs(
        k - KEY
    )
    return inside


@pytest.fixture
def a_heart() -> tuple[np.ndarray, np.ndarray]:
    """Gray slices and labels: two bright chambers, one of them in a dark wall, among gray."""
    labels = np.zeros(SHAPE, np.int32)
    labels[cone(9, 12, 0.4, 0.5)] = RIGHT
    labels[cone(15, 40, 0.4, 0.8)] = WALL
    labels[cone(9, 40, 0.4, 0.8)] = LEFT
    shades = np.array([AROUND, 200, 50, 210])
    noise = np.random.default_rng(0).normal(0, 12, SHAPE)
    return np.clip(shades[labels] + noise, 0, 255).astype(np.uint8), labels


class Greedy:
    """Takes all that differs from the surroundings in a wide box, the wall with its chamber."""

    def __init__(self, *, finds: bool = True) -> None:
        self.finds, self.encoded = finds, 0

    def encode(self, image: np.ndarray) -> Any:
        self.encoded += 1
        return image

    def predict(self, encoded: Any, prompts: Sequence[Prompt]) -> list[Answer]:
        return [self._one(encoded, prompt) for prompt in prompts]

    def _one(self, image: np.ndarray, prompt: Prompt) -> Answer:
        left, top, right, bottom = (round(n) for n in prompt.box or (0, 0, 0, 0))
        box = np.zeros(image.shape, bool)
        box[max(0, top - 4) : bottom + 5, max(0, left - 4) : right + 5] = self.finds
        different = np.abs(ndimage.gaussian_filter(image.astype(float), 1) - AROUND) > 40
        different = ndimage.binary_closing(different, iterations=2)
        logits = np.where(box & different, np.float32(3), np.float32(-3))
        return Answer(logits, 0.99, logits[::2, ::2])


def carried(
    model: Any,
    slices: np.ndarray,
    labels: np.ndarray,
    asking: Asking = by_outline,
    slice_mm: float = 1.0,
) -> tuple[np.ndarray, list[Any]]:
    found, lines = np.zeros_like(labels), []
    for k, labels_of_slice, more in propagate(
        GuidedPropagator(model, asking, slice_mm=slice_mm), slices, KEY, labels[KEY], StopRules()
    ):
        found[k] = labels_of_slice
        lines += more
    return found, lines


@pytest.mark.parametrize("asking", [by_outline, by_box(3)])
@pytest.mark.parametrize("finds", [True, False])
def test_structures_are_followed_whatever_the_model_says(
    a_heart: tuple[np.ndarray, np.ndarray], finds: bool, asking: Asking
) -> None:
    slices, labels = a_heart

    found, _ = carried(Greedy(finds=finds), slices, labels, asking)

    for value, least in ((RIGHT, 0.93), (WALL, 0.88), (LEFT, 0.93)):
        assert dice(found == value, labels == value) > least


def test_a_structure_ends_where_another_intensity_takes_its_place() -> None:
    labels = np.zeros(SHAPE, np.int32)
    labels[:12, 26:38, 26:38] = LEFT
    slices = np.where(labels, 200, AROUND).astype(np.uint8)
    slices[:, 20:44, 46:] = 20  # as the lung is beside the liver ...
    slices[12:, 20:44, 20:] = 20  # ... and above it

    found, lines = carried(Greedy(), slices, labels, by_box(3), slice_mm=3.0)

    np.testing.assert_array_equal(found.any(axis=(1, 2)), labels.any(axis=(1, 2)))
    assert [line.slice for line in lines if line.reason] == [12]


def test_intensities_are_learned_from_every_slice(a_heart: tuple[np.ndarray, np.ndarray]) -> None:
    _, labels = a_heart
    # Light falls off: the last slice is as dark as the wall was in the annotated one.
    light = 1 - 0.06 * np.abs(np.arange(SHAPE[0]) - KEY)[:, None, None]
    slices = (np.array([AROUND, 200, 50, 210])[labels] * light).astype(np.uint8)

    found, _ = carried(Greedy(finds=False), slices, labels)

    for value in (RIGHT, WALL, LEFT):
        assert dice(found == value, labels == value) > 0.85


def test_slices_that_are_shifted_once_are_followed(a_heart: tuple[np.ndarray, np.ndarray]) -> None:
    slices, labels = a_heart
    slices[12:], labels[12:] = (np.roll(each[12:], (6, -4), axis=(1, 2)) for each in (slices, labels))

    found, _ = carried(Greedy(finds=False), slices, labels)

    for value in (RIGHT, WALL, LEFT):
        assert dice(found[12:] == value, labels[12:] == value) > 0.85


def test_the_annotated_slice_stays_and_confidence_falls_away_from_it(
    a_heart: tuple[np.ndarray, np.ndarray],
) -> None:
    slices, labels = a_heart

    found, lines = carried(Greedy(), slices, labels)

    np.testing.assert_array_equal(found[KEY], labels[KEY])
    up = [line.confidence for line in lines if line.value == LEFT and line.slice >= KEY and not line.reason]
    assert up == sorted(up, reverse=True)
    assert 0 < up[-1] < up[0] == 1


def test_a_wall_around_nothing_with_a_name_keeps_its_hole(a_heart: tuple[np.ndarray, np.ndarray]) -> None:
    slices, labels = a_heart
    wall = np.where(labels == WALL, WALL, 0)

    found, _ = carried(Greedy(), slices, wall)

    assert set(np.unique(found)) == {0, WALL}
    assert dice(found == WALL, wall == WALL) > 0.85


def test_the_model_sees_each_slice_once_and_the_annotated_one_for_each_way(
    a_heart: tuple[np.ndarray, np.ndarray],
) -> None:
    slices, labels = a_heart
    model = Greedy()

    carried(model, slices, labels)

    assert model.encoded == SHAPE[0] - 1 + 2
