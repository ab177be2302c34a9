"""Batches of two streams: half of annotated cases, half of cases that nobody annotated."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ContrastiveSegLib.distributed.processes import count
from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.training.batches import Batch, Draws


class TwoStreamSampler:
    """Joins the batches of two samplers.

    Args:
        annotated: Gives the first half, and one more where the size is odd.
        others: Gives the second half.
        since: The first step that is not drawn from `annotated` alone.
        until: The first step that is drawn from `annotated` alone again; None: never.
    """

    def __init__(self, annotated: Draws, others: Draws, *, since: int = 0, until: int | None = None) -> None:
        self.annotated, self.others, self.since, self.until = annotated, others, since, until

    def draw(self, step: int, size: int) -> Batch:
        """The batch of one step; `unannotated` says which images are of the second half."""
        if step < self.since or (self.until is not None and step >= self.until):
            return self.annotated.draw(step, size)
        if count() > 1:
            _check_streams(size)
        first, second = self.annotated.draw(step, size - size // 2), self.others.draw(step, size // 2)
        drawn = np.arange(len(first.images) + len(second.images)) >= len(first.images)
        joined = Batch(
            _joined(first.images, second.images),
            slice_positions=_joined(first.slice_positions, second.slice_positions),
            cases=_joined(first.cases, second.cases),
            labels=_joined(_labels(first), _labels(second)),
            unannotated=torch.from_numpy(drawn),
            divided=size // 2,
        )
        return joined.pinned() if torch.cuda.is_available() else joined


def _check_streams(size: int) -> None:
    """Refuse halves that cannot be divided over the processes in the same way.

    Raises:
        BadSetting: Says what can.
    """
    half, needed = "Half of each step is of scans that nobody annotated", 2 * count()
    if size < needed:
        raise BadSetting(
            f"{half}, and half of {size} images cannot be divided over {count()} processes.",
            f"Choose --batch {needed} or more, or start fewer processes.",
        )
    if size % 2:
        raise BadSetting(
            f"{half}, and {size} images have no half.", f"Choose --batch {size + 1}, or start one process."
        )


def _labels(batch: Batch) -> Tensor:
    if batch.labels is None:
        raise ValueError("streams are drawn from samplers that give labels")
    return batch.labels


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """By numpy, for the reason that `Sampler.draw` gives."""
    return torch.from_numpy(np.concatenate([first.numpy(), second.numpy()]))
