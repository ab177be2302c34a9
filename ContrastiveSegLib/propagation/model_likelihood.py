"""What a promptable model says of the figures of a slice, and how far it is to be believed."""

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

# What overlaps less with the outline that was shown is another structure; a ring that is left overlaps more.
SAME, SAME_RING = 0.3, 0.6
# No answer of a model is surer than this, in logits.
SUREST = 4.0
# Components with fewer pixels are not asked for.
SMALLEST = 10


@dataclass(frozen=True, eq=False)
class ModelEvidence:
    """What a model says of a figure.

    Args:
        logits: (H, W), positive inside.
        members: The classes that lie inside of it.
    """

    logits: npt.NDArray[np.float32]
    members: tuple[int, ...]


@dataclass(frozen=True)
class Calibration:
    """What an answer is worth, in log odds: where it says inside, and where it says outside (negative)."""

    inside: float
    outside: float


def calibration_of(opinions: Iterable[ModelEvidence], labels: Labels, reach: float) -> dict[int, Calibration]:
    """How often a model was right about a slice whose labels (H, W) are known, near each border.

    Args:
        reach: Pixels on both sides of a border that count; farther away being right is no merit.

    Returns:
        For each figure's value; none in figures about which it had nothing to say.
    """
    heard = {opinion.members[0]: _calibration(opinion, labels, reach) for opinion in opinions}
    return {**{figure.value: Calibration(0.0, 0.0) for figure in contours_in(np.maximum(labels, 0))}, **heard}


def calibrated_evidence(
    opinions: Iterable[ModelEvidence], trust: Mapping[int, Calibration]
) -> list[ModelEvidence]:
    """The same opinions as far as the model is to be believed; of a figure that is new to it, half."""
    found = []
    for opinion in opinions:
        worth = trust.get(opinion.members[0], Calibration(SUREST / 2, -SUREST / 2))
        sure = 1 / (1 + np.exp(-opinion.logits))
        logits = sure * worth.inside + (1 - sure) * worth.outside
        found.append(ModelEvidence(logits.astype(np.float32), opinion.members))
    return found


def ask_about(model: PromptableModel, asking: Asking, encoded: Any, labels: Labels) -> list[ModelEvidence]:
    """What a model says of each figure of a slice (H, W), if it means the same figure."""
    found = []
    for figure in contours_in(np.maximum(labels, 0)):
        components = [component for component in components_of(figure.outline) if component.sum() >= SMALLEST]
        answers = [model.predict(encoded, asking(component)) for component in components]
        meant = [
            [answer for answer in each if _is_meant(answer, figure, component, labels)]
            for component, each in zip(components, answers, strict=True)
        ]
        heard = [_mean_logits(each) for each in meant if each]
        if heard:
            members = (figure.value, *figure.inside)
            found.append(ModelEvidence(np.max(heard, axis=0), members))
    return found


def _mean_logits(answers: Sequence[Answer]) -> npt.NDArray[np.float32]:
    mean: npt.NDArray[np.float32] = np.mean([np.clip(a.logits, -SUREST, SUREST) for a in answers], axis=0)
    return mean


def _is_meant(answer: Answer, figure: FilledContour, component: Mask, labels: Labels) -> bool:
    if overlap_of(answer.mask, component) <= SAME:
        return False
    inside = np.isin(labels, figure.inside)
    return not figure.is_nested or overlap_of(answer.mask & ~inside, component & ~inside) > SAME_RING


def _calibration(opinion: ModelEvidence, labels: Labels, reach: float) -> Calibration:
    """Log ratios of how often it says so where it is true and where it is not, one pixel of each added."""
    there, said = np.isin(labels, opinion.members), opinion.logits > 0
    depth = ndimage.distance_transform_edt(there) + ndimage.distance_transform_edt(~there)
    near = depth <= reach
    right = ((there & said & near).sum() + 1) / ((there & near).sum() + 2)
    wrong = ((~there & said & near).sum() + 1) / ((~there & near).sum() + 2)
    inside, outside = np.log(right / wrong), np.log((1 - right) / (1 - wrong))
    return Calibration(float(np.clip(inside, 0, SUREST)), float(np.clip(outside, -SUREST, 0)))
