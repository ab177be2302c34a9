"""Follow structures by a spatial prior, an intensity model, and the answers of a promptable model.

A model that has never seen an organ takes its surroundings for a part of it, and goes on where it ends. The
annotated slice shows the intensities of each structure and of its surroundings, and how often the model
is right.
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

# Share of each new slice in the intensity model.
LEARNED = 0.3
# How far a border deviates from the optical flow: as a share of the distance of two slices, and at least this
# number of pixels, because less cannot be seen.
DEVIATION, SHORTEST_REACH = 0.7, 1.0


@dataclass(frozen=True)
class GuidedPropagator:
    """A Propagator made of a PromptableModel.

    Args:
        asking: Makes the prompts for a part of what is expected.
        pixel_mm: Side of a pixel.
        slice_mm: Distance of two slices; the farther, the more a border deviates.
    """

    model: PromptableModel
    asking: Asking
    pixel_mm: float = 1.0
    slice_mm: float = 1.0

    @property
    def reach(self) -> float:
        """Pixels that a border is expected to deviate from slice to slice, one unit of log odds."""
        return max(SHORTEST_REACH, DEVIATION * self.slice_mm / self.pixel_mm)

    def start(self, slices: npt.NDArray[np.uint8], key: int, masks: Mapping[int, Mask]) -> GuidedTracker:
        """Fit the intensity model to the annotated slice, and calibrate the promptable model on it."""
        drawn = label_map(masks)
        labels = with_holes(drawn)
        evidence = self.asked(slices[key], labels)
        intensity_model = IntensityModel.of(slices[key : key + 1], labels[None], self.pixel_mm)
        known = AnnotatedFacts(
            calibration_of(evidence, labels, self.reach), thickness_of(contours_in(drawn), labels)
        )
        return GuidedTracker(self, slices, key, intensity_model, known)

    def asked(self, image: Slice, labels: Labels) -> list[ModelEvidence]:
        """The answers of the model about the contours of a slice (H, W)."""
        return ask_about(self.model, self.asking, self.model.encode(image), labels)


@dataclass(frozen=True)
class AnnotatedFacts:
    """What the annotated slice shows for all others: calibrations of the model, thickness of walls."""

    calibrations: Mapping[int, Calibration]
    thickness: Mapping[int, float]


class GuidedTracker:
    """One way through the volume; remembers where it is, and adapts the intensity model on its way."""

    def __init__(
        self,
        guide: GuidedPropagator,
        slices: npt.NDArray[np.uint8],
        key: int,
        intensities: IntensityModel,
        known: AnnotatedFacts,
    ) -> None:
        self.guide, self.slices, self.here, self.known = guide, slices, key, known
        self.intensity_model = intensities

    def step(self, k: int, before: Mapping[int, Mask]) -> dict[int, Answer]:
        """A first guess, walls laid around it, and the evidence of the model about that."""
        left, self.here = self.here, k
        was = with_holes(label_map(before))
        was = moved_along(was, self.slices[left], self.slices[k], self.guide.pixel_mm)
        classes = [0, *(int(value) for value in np.unique(was) if value)]
        likelihood = self.intensity_model.log_likelihood(self.slices[k], classes)
        guess = decided(together(expected(was, classes, self.guide.reach), likelihood), classes, was)
        places, moved = with_nested_moved(was, guess, self.known.thickness)
        probabilities = together(expected(places, classes, self.guide.reach, moved), likelihood)
        guess = decided(probabilities, classes, was)
        if guess.any():
            evidence = self.guide.asked(self.slices[k], guess)
            probabilities = with_evidence(
                probabilities, classes, calibrated_evidence(evidence, self.known.calibrations)
            )
            guess = decided(probabilities, classes, was)
        seen = IntensityModel.of(self.slices[k : k + 1], guess[None], self.guide.pixel_mm)
        self.intensity_model = self.intensity_model.moved_towards(seen, LEARNED)
        return {value: _answer(guess, value, probabilities, classes) for value in before}


def _answer(labels: Labels, value: int, probabilities: Probabilities, classes: list[int]) -> Answer:
    """A structure as an answer: how likely it is where it is, and the mean of that as its score."""
    there = labels == value
    likely = probabilities[classes.index(value)]
    logits = np.where(there, likely, -1).astype(np.float32)
    return Answer(logits, float(likely[there].mean()) if there.any() else 0.0, logits)
