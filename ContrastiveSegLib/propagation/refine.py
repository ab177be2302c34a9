"""Improve predicted structures slice by slice: a prompt, the answer of the model, and a test of acceptance.

Source: PolyCL, MELBA 2026:002, https://arxiv.org/abs/2505.19208 (boxes from coarse masks). The test of
acceptance, filled contours, inter-slice consistency and the decision between structures are this project's.
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

# The logit of a coarse pixel: the pixels of the model win against it.
COARSE = 1e-3
TOO_SMALL = Acceptance(1.0, "too small to ask for")


@dataclass(frozen=True)
class Rules:
    """How to ask, and what to accept.

    Args:
        padding: Pixels around a box that is the whole prompt.
        passes: How often a model is asked; from the second time with the answer before.
        acceptance: Smallest overlap with the coarse outline.
        smallest_component: Components with fewer pixels are not asked for.
        photographs: The model learned from photographs: the prompt has the coarse outline too, the answer on
            the clearest border counts, and this border must not be fainter than before.
    """

    padding: int = 3
    passes: int = 1
    acceptance: float = 0.5
    smallest_component: int = 20
    photographs: bool = False


@dataclass(frozen=True)
class RefinedOutline:
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
    acceptance: Acceptance
    score: float | None
    before: int
    after: int | None
    is_nested: bool


@dataclass(frozen=True, eq=False)
class _Component:
    contour: FilledContour
    number: int
    mask: Mask
    answer: Answer | None = None
    found: Mask | None = None
    acceptance: Acceptance = TOO_SMALL


def refine_volume(
    model: PromptableModel,
    slices: npt.NDArray[np.uint8],
    labels: npt.NDArray[Any],
    rules: Rules,
    consistency: SliceConsistency | None = None,
) -> Iterator[tuple[int, npt.NDArray[Any], list[RefinedOutline]]]:
    """Refine slice after slice of (K, H, W), as it is asked for; empty slices are not shown to the model.

    Args:
        consistency: Corrects the outlines before the model is asked; what follows compares with that.

    Yields:
        Number of the slice, its new labels (H, W), and the report.
    """
    for k, (image, coarse) in enumerate(zip(slices, labels, strict=True)):
        if not coarse.any():
            yield k, coarse, []
            continue
        outlines = consistency.slice(k, rules.acceptance).astype(labels.dtype) if consistency else coarse
        refined, asked = refine_slice(model, image, outlines, rules)
        yield k, refined, [replace(line, slice=k) for line in asked]


def refine_slice(
    model: PromptableModel, image: Slice, labels: npt.NDArray[Any], rules: Rules
) -> tuple[npt.NDArray[Any], list[RefinedOutline]]:
    """Refine the structures of one slice (H, W)."""
    contours = contours_in(labels)
    components = [
        _Component(contour, number, mask)
        for contour in contours
        for number, mask in enumerate(components_of(contour.outline), start=1)
    ]
    large = [n for n, component in enumerate(components) if component.mask.sum() >= rules.smallest_component]
    if large:
        answers = _ask(model, image, [components[n].mask for n in large], rules)
        for n, answer in zip(large, answers, strict=True):
            components[n] = _judged(replace(components[n], answer=answer), image, rules)
    components = _with_walls_judged(_with_nested_judged(components, labels, rules), labels, rules)
    return _decided(contours, components, labels), [_line(component) for component in components]


def _ask(model: PromptableModel, image: Slice, masks: Sequence[Mask], rules: Rules) -> list[Answer]:
    encoded = model.encode(image)
    if not rules.photographs:
        boxes = [Prompt(box_around(mask, rules.padding)) for mask in masks]
        return asked(model, encoded, boxes, rules.passes)[-1]
    rounds = asked(model, encoded, [showing(mask) for mask in masks], rules.passes)
    return [clearest(each, mask, image, rules.acceptance) for *each, mask in zip(*rounds, masks, strict=True)]


def _judged(component: _Component, image: Slice, rules: Rules) -> _Component:
    """The part of the answer that touches the component, and whether it is accepted."""
    found = component.answer.mask if component.answer else np.zeros_like(component.mask)
    touching = [part for part in components_of(found) if (part & component.mask).any()]
    found = np.any([*touching, np.zeros_like(found)], axis=0)
    acceptance = judge(found, component.mask, rules.acceptance)
    if acceptance.accepted and rules.acceptance > 0 and rules.photographs:
        acceptance = replace(acceptance, reason=judge_border(found, component.mask, image))
    return replace(component, found=found, acceptance=acceptance)


def _with_nested_judged(
    components: list[_Component], labels: npt.NDArray[Any], rules: Rules
) -> list[_Component]:
    """Refuse a filled contour if the wall that it would leave is not accepted itself."""

    def judged(component: _Component) -> _Component:
        if not component.contour.is_nested or not component.acceptance.accepted or component.found is None:
            return component
        inside = _inside_of(component.contour, components)
        wall, coarse = component.found & ~inside, component.mask & (labels == component.contour.value)
        left = judge(wall, coarse, rules.acceptance)
        if left.accepted:
            return component
        overlap = overlap_of(component.found, component.mask)
        return replace(
            component, acceptance=Acceptance(overlap, f"of the wall that would be left: {left.reason}")
        )

    return [judged(component) for component in components]


def _with_walls_judged(
    components: list[_Component], labels: npt.NDArray[Any], rules: Rules
) -> list[_Component]:
    """Refuse an outline that would cover the wall around it, such as that of a chamber."""
    refused = dict[int, str]()
    for component in components:
        if component.contour.is_nested:
            wall = component.mask & (labels == component.contour.value)
            left = judge(
                _outcome(component) & ~_inside_of(component.contour, components), wall, rules.acceptance
            )
            values = [] if left.accepted else component.contour.inside
            refused |= dict.fromkeys(values, f"of the wall around it: {left.reason}")

    def judged(component: _Component) -> _Component:
        reason = refused.get(component.contour.value, "") if component.acceptance.accepted else ""
        if not reason:
            return component
        return replace(component, acceptance=replace(component.acceptance, reason=reason))

    return [judged(component) for component in components]


def _inside_of(contour: FilledContour, components: Sequence[_Component]) -> Mask:
    """What lies inside a contour: the new outlines where they were accepted, else the coarse ones."""
    parts = [_outcome(component) for component in components if component.contour.value in contour.inside]
    inside: Mask = np.any([*parts, np.zeros_like(contour.outline)], axis=0)
    return inside


def _outcome(component: _Component) -> Mask:
    found = component.found if component.acceptance.accepted else None
    return component.mask if found is None else found


def _decided(
    contours: Sequence[FilledContour], components: Sequence[_Component], labels: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """One structure per pixel: of several the one with the highest logit; a nested one before its wall."""
    walls = {value: contour.value for contour in contours for value in contour.inside}
    claims = {contour.value: _claim(contour, components) for contour in contours}
    decided = np.zeros_like(labels)
    surest = np.zeros(labels.shape, np.float32)
    for value, claim in claims.items():  # walls come first
        wall = walls.get(value)
        won = (claim > 0) & ((claim > surest) | ((decided == wall) if wall is not None else False))
        decided[won], surest[won] = max(value, 0), claim[won]
    return decided


def _claim(contour: FilledContour, components: Sequence[_Component]) -> npt.NDArray[np.float32]:
    """The logit of each pixel (H, W) of a structure's outline; 0 outside."""
    claim = np.zeros(contour.outline.shape, np.float32)
    for component in components:
        if component.contour is contour:
            logits = (
                component.answer.logits
                if component.answer and component.acceptance.accepted
                else np.float32(COARSE)
            )
            claim = np.maximum(claim, np.where(_outcome(component), logits, 0))
    return claim


def _line(component: _Component) -> RefinedOutline:
    return RefinedOutline(
        slice=0,
        value=component.contour.value,
        component=component.number,
        acceptance=component.acceptance,
        score=component.answer.score if component.answer else None,
        before=int(component.mask.sum()),
        after=int(component.found.sum()) if component.found is not None else None,
        is_nested=component.contour.is_nested,
    )
