"""What the tests of promptable models need: one that follows brightness, and images it can answer for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from ContrastiveSegLib.sam._model import Answer, Prompt

BRIGHT = 128


@dataclass
class Brightness:
    """Finds what is bright inside the box; sees each slice once, and counts."""

    score: float = 0.9
    encoded: int = 0
    prompts: list[Prompt] = field(default_factory=list)

    def encode(self, image: np.ndarray) -> np.ndarray:
        self.encoded += 1
        return image

    def predict(self, encoded: np.ndarray, prompts: Sequence[Prompt]) -> list[Answer]:
        self.prompts += prompts
        return [self._one(encoded, prompt) for prompt in prompts]

    def _one(self, image: np.ndarray, prompt: Prompt) -> Answer:
        left, top, right, bottom = (round(n) for n in prompt.box or (0, 0, 0, 0))
        inside = np.zeros(image.shape, bool)
        inside[top : bottom + 1, left : right + 1] = True
        logits = np.where((image > BRIGHT) & inside, image / 16.0, -5).astype(np.float32)
        return Answer(logits, self.score, logits[::2, ::2])


@pytest.fixture
def a_model() -> Brightness:
    """A promptable model that finds what is bright."""
    return Brightness()
