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
        smallest: Components with fewer pixels are not asked for.
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
    """One line of the report: a component of a structure in a slice, and what became of it.

    Args:
        component: 1 is the largest component of its structure.
        score: The model's own estimate; None if it was not asked.
        before: Pixels of the outline that was asked about.
        after: Pixels of the new outline, accepted or not; None if it was not asked.
    """

    slice: int
    value: int
    component: int
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
    components = [
        _Component(figure, number, mask)
        for figure in figures
        for number, mask in enumerate(components_of(figure.outline), start=1)
    ]
    large = [n for n, component in enumerate(components) if component.mask.sum() >= rules.smallest]
    if large:
        answers = _ask(model, image, [components[n].mask for n in large], rules)
        for n, answer in zip(large, answers, strict=True):
            components[n] = _judged(replace(components[n], answer=answer), image, rules)
    components = _with_nested_kept(_with_nested_judged(components, labels, rules), labels, rules)
    return _decided(figures, components, labels), [_line(component) for component in components]


def _ask(model: PromptableModel, image: Slice, masks: Sequence[Mask], rules: Rules) -> list[Answer]:
    encoded = model.encode(image)
    if not rules.photographs:
        boxes = [Prompt(box_around(mask, rules.padding)) for mask in masks]
        return asked(model, encoded, boxes, rules.passes)[-1]
    rounds = asked(model, encoded, [showing(mask) for mask in masks], rules.passes)
    return [clearest(each, mask, image, rules.gate) for *each, mask in zip(*rounds, masks, strict=True)]


def _judged(component: _Component, image: Slice, rules: Rules) -> _Component:
    """The part of the answer that touches the component, and what the gate says to it."""
    found = component.answer.mask if component.answer else np.zeros_like(component.mask)
    touching = [part for part in components_of(found) if (part & component.mask).any()]
    found = np.any([*touching, np.zeros_like(found)], axis=0)
    verdict = judge(found, component.mask, rules.gate)
    if verdict.accepted and rules.gate > 0 and rules.photographs:
        verdict = replace(verdict, reason=judge_border(found, component.mask, image))
    return replace(component, found=found, verdict=verdict)


def _with_nested_judged(
    components: list[_Component], labels: npt.NDArray[Any], rules: Rules
) -> list[_Component]:
    """Refuse the outline of a ring if the ring that it would leave does not pass the gate itself."""

    def judged(component: _Component) -> _Component:
        if not component.figure.is_nested or not component.verdict.accepted or component.found is None:
            return component
        inside = _inside_of(component.figure, components)
        ring, coarse = component.found & ~inside, component.mask & (labels == component.figure.value)
        verdict = judge(ring, coarse, rules.gate)
        if verdict.accepted:
            return component
        outline = overlap_of(component.found, component.mask)
        return replace(
            component, verdict=Acceptance(outline, f"of the ring that would be left: {verdict.reason}")
        )

    return [judged(component) for component in components]


def _with_nested_kept(
    components: list[_Component], labels: npt.NDArray[Any], rules: Rules
) -> list[_Component]:
    """Refuse what would take the ring around it: a chamber's outline that lies on the border of the wall."""
    eaten = dict[int, str]()
    for component in components:
        if component.figure.is_nested:
            ring = component.mask & (labels == component.figure.value)
            left = judge(_kept(component) & ~_inside_of(component.figure, components), ring, rules.gate)
            reasons = [] if left.accepted else component.figure.inside
            eaten |= dict.fromkeys(reasons, f"of the ring around it: {left.reason}")

    def judged(component: _Component) -> _Component:
        reason = eaten.get(component.figure.value, "") if component.verdict.accepted else ""
        return replace(component, verdict=replace(component.verdict, reason=reason)) if reason else component

    return [judged(component) for component in components]


def _inside_of(figure: FilledContour, components: Sequence[_Component]) -> Mask:
    """What lies inside a ring: new where the gate let it pass, else as before."""
    parts = [_kept(component) for component in components if component.figure.value in figure.inside]
    inside: Mask = np.any([*parts, np.zeros_like(figure.outline)], axis=0)
    return inside


def _kept(component: _Component) -> Mask:
    return component.found if component.verdict.accepted and component.found is not None else component.mask


def _decided(
    figures: Sequence[FilledContour], components: Sequence[_Component], labels: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """One structure per pixel: where several claim it, the surest; what a ring surrounds before the ring."""
    rings = {value: figure.value for figure in figures for value in figure.inside}
    claims = {figure.value: _claim(figure, components) for figure in figures}
    decided = np.zeros_like(labels)
    surest = np.zeros(labels.shape, np.float32)
    for value, claim in claims.items():  # rings come first
        outer = rings.get(value)
        mine = (claim > 0) & ((claim > surest) | ((decided == outer) if outer is not None else False))
        decided[mine], surest[mine] = max(value, 0), claim[mine]
    return decided


def _claim(figure: FilledContour, components: Sequence[_Component]) -> npt.NDArray[np.float32]:
    """How sure each pixel (H, W) belongs to a structure's outline; 0 where it does not."""
    claim = np.zeros(figure.outline.shape, np.float32)
    for component in components:
        if component.figure is figure:
            sure = (
                component.answer.logits
                if component.answer and component.verdict.accepted
                else np.float32(COARSE)
            )
            claim = np.maximum(claim, np.where(_kept(component), sure, 0))
    return claim


def _line(component: _Component) -> Asked:
    return Asked(
        slice=0,
        value=component.figure.value,
        component=component.number,
        verdict=component.verdict,
        score=component.answer.score if component.answer else None,
        before=int(component.mask.sum()),
        after=int(component.found.sum()) if component.found is not None else None,
        is_nested=component.figure.is_nested,
    )
