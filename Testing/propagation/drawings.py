"""What the tests of promptable models draw, and a model that answers with what was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ContrastiveSegLib.sam._model import Answer, Prompt


def disk(shape: tuple[int, int], center: tuple[float, float], radius: float) -> np.ndarray:
    """(H, W), true within the radius around a row and column."""
    rows, columns = np.indices(shape)
    inside: np.ndarray = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2
    return inside


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """How well two masks agree, 0...1."""
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def logits_of(mask: np.ndarray, sure: float) -> np.ndarray:
    """A mask as a model's answer."""
    return np.where(mask, np.float32(sure), np.float32(-sure))


class Painted:
    """Answers every prompt with the true structure that its box holds most of, as the images are painted."""

    def __init__(self, *answers: np.ndarray, sure: float = 4.0) -> None:
        self.answers, self.sure, self.prompts = answers, sure, list[Prompt]()

    def encode(self, image: np.ndarray) -> Any:
        return image

    def predict(self, encoded: Any, prompts: Sequence[Prompt]) -> list[Answer]:  # noqa: ARG002
        self.prompts += prompts
        return [self._one(prompt) for prompt in prompts]

    def _one(self, prompt: Prompt) -> Answer:
        left, top, right, bottom = (int(n) for n in prompt.box or (0, 0, 0, 0))
        box = np.zeros(self.answers[0].shape, bool)
        box[top : bottom + 1, left : right + 1] = True
        best = max(self.answers, key=lambda mask: (mask & box).sum() / (mask | box).sum())
        logits = logits_of(best, self.sure)
        return Answer(logits, 0.8, logits[::2, ::2])
