"""The interface of promptable models: a slice and a prompt become a mask, a slice becomes the next ones.

A family is a file of this folder with `CARD`, `recognizes(signs)` and `load(weights, compute)`; no list names
it. Its packages are imported inside `load`, so that every family can be listed where none can run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Slice = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Card:
    """What is known about a family before anything is loaded.

    Args:
        makes: "masks" from prompts in one slice (PromptableModel), or "volumes" from one slice (Propagator).
        license: Of the published weights.
        packages: Python packages that `load` needs.
        known: Start of the SHA-256 of published weights, and their name.
        carried: Installed distribution and file in it that hold the weights, if there are such.
        photographs: Whether it learned from photographs, and from outlines besides boxes; models for medical
            images were tuned on boxes alone.
        how: How to get the weights.
        source: Author, year, link.
    """

    makes: Literal["masks", "volumes"]
    license: str
    packages: tuple[str, ...]
    known: Mapping[str, str]
    how: str
    source: str
    carried: tuple[str, str] | None = None
    photographs: bool = False


@dataclass(frozen=True, eq=False)
class Prompt:
    """The prompt: what the model gets to find a structure in a slice.

    Args:
        box: First and last column and row of the structure: (left, top, right, bottom), in pixels.
        logits: An earlier answer's `low_resolution`, to be improved.
        outline: (H, W), true inside; nearly right. Not looked at where there are logits.
        points: (column, row, whether it is inside), in pixels.
    """

    box: tuple[float, float, float, float] | None = None
    logits: npt.NDArray[np.float32] | None = None
    outline: Mask | None = None
    points: tuple[tuple[float, float, bool], ...] = ()

    @property
    def is_box(self) -> bool:
        """Whether it is a box and nothing else."""
        return self.box is not None and self.logits is None and self.outline is None and not self.points


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model found.

    Args:
        logits: (H, W) on the slice; positive inside.
        score: The model's own estimate of how good this is; 1 is perfect.
        low_resolution: The same on the model's own small grid, to be handed back in a prompt.
    """

    logits: npt.NDArray[np.float32]
    score: float
    low_resolution: npt.NDArray[np.float32]

    @property
    def mask(self) -> Mask:
        """(H, W), true inside."""
        inside: Mask = self.logits > 0
        return inside


class PromptableModel(Protocol):
    """A model that finds what a prompt points at."""

    def encode(self, image: Slice) -> Any:
        """Everything about a slice (H, W) that does not depend on the prompt; the slow part."""

    def predict(self, encoded: Any, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer for each prompt in an encoded slice."""


class Tracker(Protocol):
    """One way through a volume, away from the annotated slice."""

    def step(self, k: int, before: Mapping[int, Mask]) -> dict[int, Answer]:
        """What the structures look like in slice `k`.

        Args:
            before: Structures that are still followed, as they were found in the slice before.
        """


class Propagator(Protocol):
    """A model that follows structures from slice to slice."""

    def start(self, slices: npt.NDArray[np.uint8], key: int, masks: Mapping[int, Mask]) -> Tracker:
        """Stand on the annotated slice `key` of (K, H, W), ready to leave it; once per direction."""
