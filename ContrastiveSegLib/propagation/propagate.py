"""Carry the structures of one annotated slice through the volume, both ways, until each ends.

Source: PolyCL, MELBA 2026:002, https://arxiv.org/abs/2505.19208 (one annotated slice becomes a volume). The
stop rules and the decision between structures are this project's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.propagation.acceptance import overlap_of
from ContrastiveSegLib.propagation.filled_contours import label_map
from ContrastiveSegLib.propagation.stopping import StopRules, Track, is_small, reason_to_stop
from ContrastiveSegLib.sam._model import Answer, Mask, Propagator

# Voxels that touch at a face, an edge or a corner, as where predictions keep one component.
TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class PropagatedSlice:
    """One line of the report: a structure in a slice.

    Args:
        reason: Why it ends before this slice; "" if it is there.
        confidence: 0...1: the scores along the whole way, multiplied.
    """

    slice: int
    value: int
    reason: str
    score: float
    overlap: float
    area: int
    confidence: float


def propagate(
    propagator: Propagator,
    slices: npt.NDArray[np.uint8],
    key: int,
    annotated: npt.NDArray[Any],
    rules: StopRules,
) -> Iterator[tuple[int, npt.NDArray[Any], list[PropagatedSlice]]]:
    """Leave the annotated slice first downwards, then upwards.

    Args:
        annotated: (H, W) labels of slice `key`.

    Yields:
        Number of the slice, its labels (H, W), and the report.
    """
    masks = {int(value): annotated == value for value in np.unique(annotated) if value > 0}
    yield key, annotated, [PropagatedSlice(key, v, "", 1.0, 1.0, int(m.sum()), 1.0) for v, m in masks.items()]
    for way in (range(key - 1, -1, -1), range(key + 1, len(slices))):
        yield from _one_way(propagator, slices, key, masks, way, rules)


def largest_components(labels: npt.NDArray[Any], key: int) -> npt.NDArray[Any]:
    """A copy of (K, H, W) without the components of a structure that do not reach the annotated slice."""
    kept = labels.copy()
    for value in np.unique(labels[labels > 0]):
        components, _ = ndimage.label(labels == value, TOUCHING)
        rooted = np.unique(components[key])
        kept[(components > 0) & ~np.isin(components, rooted[rooted > 0])] = 0
    return kept


def _one_way(
    propagator: Propagator,
    slices: npt.NDArray[np.uint8],
    key: int,
    masks: Mapping[int, Mask],
    way: range,
    rules: StopRules,
) -> Iterator[tuple[int, npt.NDArray[Any], list[PropagatedSlice]]]:
    if not way:
        return
    walk = propagator.start(slices, key, masks)
    before = dict(masks)
    tracks = {value: Track(int(mask.sum())) for value, mask in masks.items()}
    confidence = dict.fromkeys(masks, 1.0)
    for k in way:
        answers = walk.step(k, before)
        found = decide({value: answers[value] for value in before if value in answers})
        lines = []
        for value in list(before):
            mask = found.get(value, np.zeros_like(before[value]))
            score = answers[value].score if value in answers else 0.0
            reason = reason_to_stop(mask, before[value], score, tracks[value], rules)
            overlap = overlap_of(mask, before[value])
            confidence[value] *= 0.0 if reason else float(np.clip(score, 0, 1))
            lines.append(
                PropagatedSlice(k, value, reason, score, overlap, int(mask.sum()), confidence[value])
            )
            if reason:
                del before[value]
                continue
            small = is_small(int(mask.sum()), tracks[value], rules)
            tracks[value] = replace(tracks[value], small_for=tracks[value].small_for + 1 if small else 0)
            before[value] = mask
        yield k, label_map(before) if before else np.zeros_like(slices[k], np.int32), lines
        if not before:
            return


def decide(answers: Mapping[int, Answer]) -> dict[int, Mask]:
    """One structure per pixel: the surest of those that claim it."""
    if not answers:
        return {}
    values = list(answers)
    logits = np.stack([answers[value].logits for value in values])
    winner = np.where(logits.max(axis=0) > 0, logits.argmax(axis=0), -1)
    return {value: winner == n for n, value in enumerate(values)}
