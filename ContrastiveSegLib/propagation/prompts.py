"""The prompts for an outline that is nearly right, how often a model is asked, and which answer counts.

Source: boxes as in PolyCL, MELBA 2026:002, https://arxiv.org/abs/2505.19208; outlines and points as SAM was
trained with, https://arxiv.org/abs/2304.02643.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from ContrastiveSegLib.propagation.acceptance import contrast_across, overlap_of
from ContrastiveSegLib.sam._model import Answer, Mask, Prompt, PromptableModel, Slice

# Makes the prompts for a part (H, W) of an outline: one or several.
Asking = Callable[[Mask], list[Prompt]]


def by_outline(part: Mask) -> list[Prompt]:
    """For models of photographs: the outline with its box, and its exact box alone."""
    return [showing(part), Prompt(box_around(part, 0))]


def by_box(padding: float) -> Asking:
    """For models of medical images: a box that is wider by this number of pixels."""
    return lambda part: [Prompt(box_around(part, padding))]


def showing(outline: Mask) -> Prompt:
    """Show an outline (H, W), its exact box and its middle; in a wider box SAM takes what surrounds it."""
    return Prompt(box_around(outline, 0), outline=outline, points=((*middle_of(outline), True),))


def asked(model: PromptableModel, encoded: Any, prompts: Sequence[Prompt], passes: int) -> list[list[Answer]]:
    """Ask several times, from the second time on with the answer before.

    Returns:
        For each time one answer per prompt.
    """
    rounds = [model.predict(encoded, prompts)]
    for _ in range(1, passes):
        again = [replace(p, logits=a.low_resolution) for p, a in zip(prompts, rounds[-1], strict=True)]
        rounds.append(model.predict(encoded, again))
    return rounds


def clearest(answers: Sequence[Answer], outline: Mask, image: Slice, same: float) -> Answer:
    """Of several answers that on the clearest border in the gray values (H, W); of equals the first.

    Args:
        same: What overlaps less with the outline is another structure, however clear its border.
    """

    def clearness(answer: Answer) -> float:
        return contrast_across(answer.mask, image) if overlap_of(answer.mask, outline) > same else -1.0

    return max(answers, key=clearness)


def box_around(mask: Mask, padding: float) -> tuple[float, float, float, float]:
    """First and last column and row of a mask, wider by the padding, within the slice."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        max(0.0, columns[0] - padding),
        max(0.0, rows[0] - padding),
        min(mask.shape[1] - 1.0, columns[-1] + padding),
        min(mask.shape[0] - 1.0, rows[-1] + padding),
    )


def middle_of(mask: Mask) -> tuple[float, float]:
    """Column and row of the pixel that is farthest from the border; the middle of a crescent is inside."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column), float(row)
