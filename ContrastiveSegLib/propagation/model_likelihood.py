"""The likelihood of each structure by a promptable model, calibrated on the annotated slice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.propagation.acceptance import overlap_of
from ContrastiveSegLib.propagation.filled_contours import FilledContour, components_of, contours_in
from ContrastiveSegLib.propagation.prompts import Asking
from ContrastiveSegLib.sam._model import Answer, Labels, Mask, PromptableModel

# An answer that overlaps less with the outline is another structure. Without the nested structures it must
# overlap more.
SAME, SAME_NESTED = 0.3, 0.6
# The logits of a model are limited to this value.
SUREST = 4.0
# Components with fewer pixels are not asked for.
SMALLEST = 10


@dataclass(frozen=True, eq=False)
class ModelEvidence:
    """The answer of a model about one contour.

    Args:
        logits: (H, W), positive inside.
        members: The classes that lie inside of it.
    """

    logits: npt.NDArray[np.float32]
    members: tuple[int, ...]


@dataclass(frozen=True)
class Calibration:
    """The log odds that an answer adds: where it says inside, and where it says outside (negative)."""

    inside: float
    outside: float


def calibration_of(evidence: Iterable[ModelEvidence], labels: Labels, reach: float) -> dict[int, Calibration]:
    """How often a model was right about a slice whose labels (H, W) are known, near each border.

    Args:
        reach: Pixels on both sides of a border that count; farther away it is easy to be right.

    Returns:
        For each contour's value; zero where the model gave no answer.
    """
    without = {contour.value: Calibration(0.0, 0.0) for contour in contours_in(np.maximum(labels, 0))}
    return without | {one.members[0]: _calibration(one, labels, reach) for one in evidence}


def calibrated_evidence(
    evidence: Iterable[ModelEvidence], calibrations: Mapping[int, Calibration]
) -> list[ModelEvidence]:
    """The evidence, weighted by how often the model was right; a new contour gets half of the full weight."""
    found = []
    for one in evidence:
        calibration = calibrations.get(one.members[0], Calibration(SUREST / 2, -SUREST / 2))
        inside = 1 / (1 + np.exp(-one.logits))
        logits = inside * calibration.inside + (1 - inside) * calibration.outside
        found.append(ModelEvidence(logits.astype(np.float32), one.members))
    return found


def ask_about(model: PromptableModel, asking: Asking, encoded: Any, labels: Labels) -> list[ModelEvidence]:
    """The answers of a model about each contour of a slice (H, W), if they are about the same structure."""
    found = []
    for contour in contours_in(np.maximum(labels, 0)):
        components = [one for one in components_of(contour.outline) if one.sum() >= SMALLEST]
        answers = [model.predict(encoded, asking(component)) for component in components]
        fitting = [
            [answer for answer in each if _is_of(answer, contour, component, labels)]
            for component, each in zip(components, answers, strict=True)
        ]
        logits = [_mean_logits(each) for each in fitting if each]
        if logits:
            members = (contour.value, *contour.inside)
            found.append(ModelEvidence(np.max(logits, axis=0), members))
    return found


def _mean_logits(answers: Sequence[Answer]) -> npt.NDArray[np.float32]:
    mean: npt.NDArray[np.float32] = np.mean([np.clip(a.logits, -SUREST, SUREST) for a in answers], axis=0)
    return mean


def _is_of(answer: Answer, contour: FilledContour, component: Mask, labels: Labels) -> bool:
    if overlap_of(answer.mask, component) <= SAME:
        return False
    inside = np.isin(labels, contour.inside)
    return not contour.is_nested or overlap_of(answer.mask & ~inside, component & ~inside) > SAME_NESTED


def _calibration(evidence: ModelEvidence, labels: Labels, reach: float) -> Calibration:
    """Log of true positive rate by false positive rate, and the same outside; one pixel of each is added."""
    there, said = np.isin(labels, evidence.members), evidence.logits > 0
    depth = ndimage.distance_transform_edt(there) + ndimage.distance_transform_edt(~there)
    near = depth <= reach
    right = ((there & said & near).sum() + 1) / ((there & near).sum() + 2)
    wrong = ((~there & said & near).sum() + 1) / ((~there & near).sum() + 2)
    inside, outside = np.log(right / wrong), np.log((1 - right) / (1 - wrong))
    return Calibration(float(np.clip(inside, 0, SUREST)), float(np.clip(outside, -SUREST, 0)))
