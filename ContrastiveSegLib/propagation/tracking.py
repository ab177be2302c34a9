"""Follow structures by where they moved, by how bright they are, and by what a promptable model says.

A model that has never seen an organ takes what surrounds it for a part of it, and goes on where it ends. The
annotated slice knows better: it shows the shades of each structure and of its surroundings, and how far the
model is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.propagation.evidence import Probabilities, decided, together, with_evidence
from ContrastiveSegLib.propagation.filled_contours import contours_in, label_map
from ContrastiveSegLib.propagation.intensity_model import IntensityModel
from ContrastiveSegLib.propagation.model_likelihood import (
    Calibration,
    ModelEvidence,
    ask_about,
    calibrated_evidence,
    calibration_of,
)
from ContrastiveSegLib.propagation.optical_flow import moved_along
from ContrastiveSegLib.propagation.prompts import Asking
from ContrastiveSegLib.propagation.spatial_prior import expected, thickness_of, with_holes, with_nested_moved
from ContrastiveSegLib.sam._model import Answer, Labels, Mask, PromptableModel, Slice

# Share by which the shades become those of each new slice.
LEARNED = 0.3
# How far a border strays from where everything moved: as a share of the distance of two slices, and at least
# so many pixels, because less would not be seen.
STRAYING, SHORTEST_REACH = 0.7, 1.0


@dataclass(frozen=True)
class Guided:
    """A Propagator made of a PromptableModel.

    Args:
        asking: How the model is asked for a piece of what is expected.
        pixel_mm: Side of a pixel.
        slice_mm: Distance of two slices; the farther, the more a border strays.
    """

    model: PromptableModel
    asking: Asking
    pixel_mm: float = 1.0
    slice_mm: float = 1.0

    @property
    def reach(self) -> float:
        """Pixels that a border is expected to stray from slice to slice, one unit of log odds."""
        return max(SHORTEST_REACH, STRAYING * self.slice_mm / self.pixel_mm)

    def start(self, slices: npt.NDArray[np.uint8], key: int, masks: Mapping[int, Mask]) -> GuidedWalk:
        """Learn from the annotated slice the shades of each structure, and how far to believe the model."""
        drawn = label_map(masks)
        labels = with_holes(drawn)
        opinions = self.asked(slices[key], labels)
        shades = IntensityModel.of(slices[key : key + 1], labels[None], self.pixel_mm)
        known = Known(calibration_of(opinions, labels, self.reach), thickness_of(contours_in(drawn), labels))
        return GuidedWalk(self, slices, key, shades, known)

    def asked(self, image: Slice, labels: Labels) -> list[ModelEvidence]:
        """What the model says of the figures of a slice (H, W)."""
        return ask_about(self.model, self.asking, self.model.encode(image), labels)


@dataclass(frozen=True)
class Known:
    """What the annotated slice says for all others: how far to believe the model, and how thick rings are."""

    trust: Mapping[int, Calibration]
    thickness: Mapping[int, float]


class GuidedWalk:
    """One way through the volume; remembers where it is, and the shades on its way."""

    def __init__(
        self, guide: Guided, slices: npt.NDArray[np.uint8], key: int, shades: IntensityModel, known: Known
    ) -> None:
        self.guide, self.slices, self.here, self.shades, self.known = guide, slices, key, shades, known

    def step(self, k: int, before: Mapping[int, Mask]) -> dict[int, Answer]:
        """A first guess, the rings laid around it, and what the model makes of that."""
        left, self.here = self.here, k
        was = with_holes(label_map(before))
        was = moved_along(was, self.slices[left], self.slices[k], self.guide.pixel_mm)
        classes = [0, *(int(value) for value in np.unique(was) if value)]
        shades = self.shades.log_likelihood(self.slices[k], classes)
        guess = decided(together(expected(was, classes, self.guide.reach), shades), classes, was)
        places, moved = with_nested_moved(was, guess, self.known.thickness)
        probabilities = together(expected(places, classes, self.guide.reach, moved), shades)
        guess = decided(probabilities, classes, was)
        if guess.any():
            opinions = self.guide.asked(self.slices[k], guess)
            probabilities = with_evidence(
                probabilities, classes, calibrated_evidence(opinions, self.known.trust)
            )
            guess = decided(probabilities, classes, was)
        seen = IntensityModel.of(self.slices[k : k + 1], guess[None], self.guide.pixel_mm)
        self.shades = self.shades.moved_towards(seen, LEARNED)
        return {value: _answer(guess, value, probabilities, classes) for value in before}


def _answer(labels: Labels, value: int, probabilities: Probabilities, classes: list[int]) -> Answer:
    """A structure as an answer: how likely it is where it is, and the mean of that as its score."""
    there = labels == value
    likely = probabilities[classes.index(value)]
    logits = np.where(there, likely, -1).astype(np.float32)
    return Answer(logits, float(likely[there].mean()) if there.any() else 0.0, logits)
