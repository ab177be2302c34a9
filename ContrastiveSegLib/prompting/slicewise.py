"""Follow structures with a model that knows organs: the box in the slice before asks for the next.

A ring that the model cannot find, because it finds what the ring surrounds, is carried along at the thickness
it had where it was annotated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.prompting._model import Answer, Mask, Prompt, PromptableModel
from ContrastiveSegLib.prompting.asking import box_around
from ContrastiveSegLib.prompting.figures import Figure, figures_in, pieces_of
from ContrastiveSegLib.prompting.gate import judge
from ContrastiveSegLib.prompting.place import around, thickness_of

# From one thick slice to the next a structure may double. Where the score is below this, boxes of other sizes
# are tried, larger or smaller on each side by these shares, and the score chooses.
SURE, SIZES = 0.85, (0.15, 0.35, -0.1)
# What a carried ring claims, in logits: any pixel that the model is sure of wins.
CARRIED = 0.1
# A ring that lost this much of itself, or of its place, was not found.
RING_GATE = 0.25
# Pieces with fewer pixels ask for nothing.
SMALLEST = 5


@dataclass(frozen=True)
class Slicewise:
    """A Propagator made of a PromptableModel.

    Args:
        padding: Pixels by which a box is larger than the structure in the slice before.
    """

    model: PromptableModel
    padding: int = 3

    def start(
        self,
        slices: npt.NDArray[np.uint8],
        key: int,  # noqa: ARG002 - the first step is told what was seen there
        masks: Mapping[int, Mask],
    ) -> SlicewiseWalk:
        """Nothing is remembered of the annotated slice but how thick its rings are."""
        drawn = label_map(masks)
        return SlicewiseWalk(self.model, slices, self.padding, thickness_of(figures_in(drawn), drawn))


@dataclass(frozen=True, eq=False)
class SlicewiseWalk:
    """One way through the volume."""

    model: PromptableModel
    slices: npt.NDArray[np.uint8]
    padding: int
    thickness: Mapping[int, float]

    def step(self, k: int, before: Mapping[int, Mask]) -> dict[int, Answer]:
        """Ask for every structure in slice `k` where it was in the slice before."""
        labels = label_map(before)
        figures = figures_in(labels)
        pieces = [(f, p) for f in figures for p in pieces_of(f.outline) if p.sum() >= SMALLEST]
        answers = self._surest(self.model.encode(self.slices[k]), [piece for _, piece in pieces])
        found: dict[int, list[Answer]] = {}
        for (figure, piece), answer in zip(pieces, answers, strict=True):
            found.setdefault(figure.value, []).append(_touching(answer, piece))
        together = {value: _together(answers) for value, answers in found.items()}
        new = [figure for figure in figures if figure.value not in self.thickness]
        thickness = {**self.thickness, **thickness_of(new, labels)}
        rings = {
            f.value: _ring(f, together, before, thickness[f.value])
            for f in figures
            if f.is_ring and f.value in together
        }
        return {value: answer for value, answer in {**together, **rings}.items() if value > 0}

    def _surest(self, encoded: Any, pieces: Sequence[Mask]) -> list[Answer]:
        """An answer for each piece; where the model is not sure, the surest of several sizes of the box."""
        boxes = [box_around(piece, self.padding) for piece in pieces]
        answers = self.model.predict(encoded, [Prompt(box=box) for box in boxes])
        unsure = [n for n, answer in enumerate(answers) if answer.score < SURE]
        tries = [(n, Prompt(box=scaled(boxes[n], s, pieces[n].shape))) for n in unsure for s in SIZES]
        others = self.model.predict(encoded, [prompt for _, prompt in tries])
        for (n, _), other in zip(tries, others, strict=True):
            answers[n] = max(answers[n], other, key=lambda answer: answer.score)
        return answers


def scaled(
    box: tuple[float, float, float, float], share: float, shape: tuple[int, ...]
) -> tuple[float, float, float, float]:
    """A box that is larger by a share of its size on each side, or smaller, within the slice (H, W)."""
    left, top, right, bottom = box
    across, down = share * (right - left), share * (bottom - top)
    return (
        max(0.0, left - across),
        max(0.0, top - down),
        min(shape[1] - 1.0, right + across),
        min(shape[0] - 1.0, bottom + down),
    )


def label_map(masks: Mapping[int, Mask]) -> npt.NDArray[np.int32]:
    """Masks (H, W) as one label map; they do not overlap."""
    labels = np.zeros(next(iter(masks.values())).shape, np.int32)
    for value, mask in masks.items():
        labels[mask] = value
    return labels


def _touching(answer: Answer, piece: Mask) -> Answer:
    """The part of an answer that overlaps the piece that asked for it."""
    parts = [part for part in pieces_of(answer.mask) if (part & piece).any()]
    kept = np.any([*parts, np.zeros_like(piece)], axis=0)
    logits = np.where(answer.mask & ~kept, np.float32(-1), answer.logits)
    return Answer(logits, answer.score, answer.low_resolution)


def _together(answers: list[Answer]) -> Answer:
    """Several pieces of a structure as one; the weakest score counts."""
    logits = np.max([answer.logits for answer in answers], axis=0)
    return Answer(logits, min(answer.score for answer in answers), answers[0].low_resolution)


def _ring(
    figure: Figure, found: Mapping[int, Answer], before: Mapping[int, Mask], thickness: float
) -> Answer:
    """The outline without its inside, or, where that leaves no ring, the ring carried along."""
    outline, inside = found[figure.value], _inside(figure, found)
    ring = np.where(inside, np.float32(-1), outline.logits)
    if not inside.any() or judge(ring > 0, before[figure.value], RING_GATE).accepted:
        return Answer(ring, outline.score, outline.low_resolution)
    new = around(inside, thickness)
    scores = [found[value].score for value in figure.inside if value in found]
    return Answer(np.where(new, np.float32(CARRIED), np.float32(-1)), min(scores), outline.low_resolution)


def _inside(figure: Figure, found: Mapping[int, Answer]) -> Mask:
    masks = [found[value].mask for value in figure.inside if value in found]
    inside: Mask = np.any([*masks, np.zeros_like(figure.outline)], axis=0)
    return inside
