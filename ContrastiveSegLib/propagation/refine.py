"""Improve predicted structures slice by slice: a box asks, the model answers, the gate decides.

Source: PolyCL, MELBA 2026:002, https://arxiv.org/abs/2505.19208 (boxes from coarse masks). The gate, the
outlines of rings, what steadies outlines before and the decision between structures are this project's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.propagation.acceptance import Acceptance, judge, judge_border, overlap_of
from ContrastiveSegLib.propagation.filled_contours import FilledContour, components_of, contours_in
from ContrastiveSegLib.propagation.prompts import asked, box_around, clearest, showing
from ContrastiveSegLib.propagation.slice_consistency import SliceConsistency
from ContrastiveSegLib.sam._model import Answer, Mask, Prompt, PromptableModel, Slice

# How sure a coarse pixel is, in logits: the model's own pixels win against it.
COARSE = 1e-3
TOO_SMALL = Acceptance(1.0, "too small to ask for")


@dataclass(frozen=True)
class Rules:
    """How to ask, and what to accept.

    Args:
        padding: Pixels around a box that is all a model is told.
        passes: How often a model is asked; from the second time with the answer before.
        gate: Smallest overlap with the coarse outline.
        smallest: Pieces with fewer pixels are not asked for.
        photographs: The model learned from photographs: it is shown the coarse outline too, not its box
            alone, its answer on the clearest border counts, and that must not be fainter than before.
    """

    padding: int = 3
    passes: int = 1
    gate: float = 0.5
    smallest: int = 20
    photographs: bool = False


@dataclass(frozen=True)
class Asked:
    """One line of the report: a piece of a structure in a slice, and what became of it.

    Args:
        piece: 1 is the largest piece of its structure.
        score: The model's own estimate; None if it was not asked.
        before: Pixels of the outline that was asked about.
        after: Pixels of the new outline, accepted or not; None if it was not asked.
    """

    slice: int
    value: int
    piece: int
    verdict: Acceptance
    score: float | None
    before: int
    after: int | None
    is_nested: bool


@dataclass(frozen=True, eq=False)
class _Component:
    figure: FilledContour
    number: int
    mask: Mask
    answer: Answer | None = None
    found: Mask | None = None
    verdict: Acceptance = TOO_SMALL


def refine_volume(
    model: PromptableModel,
    slices: npt.NDArray[np.uint8],
    labels: npt.NDArray[Any],
    rules: Rules,
    steadying: SliceConsistency | None = None,
) -> Iterator[tuple[int, npt.NDArray[Any], list[Asked]]]:
    """Refine slice after slice of (K, H, W), as it is asked for; empty slices are not shown to the model.

    Args:
        steadying: Corrects the outlines before the model is asked; what follows compares with that.

    Yields:
        Number of the slice, its new labels (H, W), and the report.
    """
    for k, (image, coarse) in enumerate(zip(slices, labels, strict=True)):
        if not coarse.any():
            yield k, coarse, []
            continue
        outlines = steadying.slice(k, rules.gate).astype(labels.dtype) if steadying else coarse
        refined, asked = refine_slice(model, image, outlines, rules)
        yield k, refined, [replace(line, slice=k) for line in asked]


def refine_slice(
    model: PromptableModel, image: Slice, labels: npt.NDArray[Any], rules: Rules
) -> tuple[npt.NDArray[Any], list[Asked]]:
    """Refine the structures of one slice (H, W)."""
    figures = contours_in(labels)
    pieces = [
        _Component(figure, number, mask)
        for figure in figures
        for number, mask in enumerate(components_of(figure.outline), start=1)
    ]
    large = [n for n, piece in enumerate(pieces) if piece.mask.sum() >= rules.smallest]
    if large:
        answers = _ask(model, image, [pieces[n].mask for n in large], rules)
        for n, answer in zip(large, answers, strict=True):
            pieces[n] = _judged(replace(pieces[n], answer=answer), image, rules)
    pieces = _with_nested_kept(_with_nested_judged(pieces, labels, rules), labels, rules)
    return _decided(figures, pieces, labels), [_line(piece) for piece in pieces]


def _ask(model: PromptableModel, image: Slice, masks: Sequence[Mask], rules: Rules) -> list[Answer]:
    encoded = model.encode(image)
    if not rules.photographs:
        boxes = [Prompt(box_around(mask, rules.padding)) for mask in masks]
        return asked(model, encoded, boxes, rules.passes)[-1]
    rounds = asked(model, encoded, [showing(mask) for mask in masks], rules.passes)
    return [clearest(each, mask, image, rules.gate) for *each, mask in zip(*rounds, masks, strict=True)]


def _judged(piece: _Component, image: Slice, rules: Rules) -> _Component:
    """The part of the answer that touches the piece, and what the gate says to it."""
    found = piece.answer.mask if piece.answer else np.zeros_like(piece.mask)
    touching = [part for part in components_of(found) if (part & piece.mask).any()]
    found = np.any([*touching, np.zeros_like(found)], axis=0)
    verdict = judge(found, piece.mask, rules.gate)
    if verdict.accepted and rules.gate > 0 and rules.photographs:
        verdict = replace(verdict, reason=judge_border(found, piece.mask, image))
    return replace(piece, found=found, verdict=verdict)


def _with_nested_judged(pieces: list[_Component], labels: npt.NDArray[Any], rules: Rules) -> list[_Component]:
    """Refuse the outline of a ring if the ring that it would leave does not pass the gate itself."""

    def judged(piece: _Component) -> _Component:
        if not piece.figure.is_nested or not piece.verdict.accepted or piece.found is None:
            return piece
        inside = _inside_of(piece.figure, pieces)
        ring, coarse = piece.found & ~inside, piece.mask & (labels == piece.figure.value)
        verdict = judge(ring, coarse, rules.gate)
        if verdict.accepted:
            return piece
        outline = overlap_of(piece.found, piece.mask)
        return replace(
            piece, verdict=Acceptance(outline, f"of the ring that would be left: {verdict.reason}")
        )

    return [judged(piece) for piece in pieces]


def _with_nested_kept(pieces: list[_Component], labels: npt.NDArray[Any], rules: Rules) -> list[_Component]:
    """Refuse what would take the ring around it: a chamber's outline that lies on the border of the wall."""
    eaten = dict[int, str]()
    for piece in pieces:
        if piece.figure.is_nested:
            ring = piece.mask & (labels == piece.figure.value)
            left = judge(_kept(piece) & ~_inside_of(piece.figure, pieces), ring, rules.gate)
            reasons = [] if left.accepted else piece.figure.inside
            eaten |= dict.fromkeys(reasons, f"of the ring around it: {left.reason}")

    def judged(piece: _Component) -> _Component:
        reason = eaten.get(piece.figure.value, "") if piece.verdict.accepted else ""
        return replace(piece, verdict=replace(piece.verdict, reason=reason)) if reason else piece

    return [judged(piece) for piece in pieces]


def _inside_of(figure: FilledContour, pieces: Sequence[_Component]) -> Mask:
    """What lies inside a ring: new where the gate let it pass, else as before."""
    parts = [_kept(piece) for piece in pieces if piece.figure.value in figure.inside]
    inside: Mask = np.any([*parts, np.zeros_like(figure.outline)], axis=0)
    return inside


def _kept(piece: _Component) -> Mask:
    return piece.found if piece.verdict.accepted and piece.found is not None else piece.mask


def _decided(
    figures: Sequence[FilledContour], pieces: Sequence[_Component], labels: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """One structure per pixel: where several claim it, the surest; what a ring surrounds before the ring."""
    rings = {value: figure.value for figure in figures for value in figure.inside}
    claims = {figure.value: _claim(figure, pieces) for figure in figures}
    decided = np.zeros_like(labels)
    surest = np.zeros(labels.shape, np.float32)
    for value, claim in claims.items():  # rings come first
        outer = rings.get(value)
        mine = (claim > 0) & ((claim > surest) | ((decided == outer) if outer is not None else False))
        decided[mine], surest[mine] = max(value, 0), claim[mine]
    return decided


def _claim(figure: FilledContour, pieces: Sequence[_Component]) -> npt.NDArray[np.float32]:
    """How sure each pixel (H, W) belongs to a structure's outline; 0 where it does not."""
    claim = np.zeros(figure.outline.shape, np.float32)
    for piece in pieces:
        if piece.figure is figure:
            sure = piece.answer.logits if piece.answer and piece.verdict.accepted else np.float32(COARSE)
            claim = np.maximum(claim, np.where(_kept(piece), sure, 0))
    return claim


def _line(piece: _Component) -> Asked:
    return Asked(
        slice=0,
        value=piece.figure.value,
        piece=piece.number,
        verdict=piece.verdict,
        score=piece.answer.score if piece.answer else None,
        before=int(piece.mask.sum()),
        after=int(piece.found.sum()) if piece.found is not None else None,
        is_nested=piece.figure.is_nested,
    )
