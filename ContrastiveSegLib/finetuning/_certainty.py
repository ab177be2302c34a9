"""What two predictions agree on with certainty, and which pixels of it are worth comparing.

Source: PCLMix, arXiv 2405.06288, docs/strategies/pclmix.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import of_all, own, total
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL

TINY = 1e-6


@dataclass(frozen=True)
class AnchorLimits:
    """How many cells are compared.

    Args:
        fewest: Classes with fewer cells in an image have no anchors there.
        each: Most anchors of one class in one image.
        total: Most anchors of the batch.
    """

    fewest: int
    each: int = 100
    total: int = 1024


def entropy_limit(progress: float) -> float:
    """Entropy in nats above which a pixel is uncertain; it rises with training from 0.521 to ln 2."""
    return (0.75 + 0.25 * math.exp(-5 * (1 - progress) ** 2)) * math.log(2)


@torch.no_grad()
def certain_labels(probabilities: Tensor, labels: Tensor, limit: float) -> Tensor:
    """The annotation where there is one, else the most probable class, or IGNORE_LABEL above the limit.

    Args:
        probabilities: (B, C, *S) float32.
        labels: (B, *S) class indices, IGNORE_LABEL where nothing is annotated.

    Returns:
        (B, *S) class indices or IGNORE_LABEL.
    """
    entropy = -(probabilities * (probabilities + TINY).log()).sum(1)
    certain = probabilities.argmax(1).masked_fill(entropy > limit, IGNORE_LABEL)
    return torch.where(labels == IGNORE_LABEL, certain, labels)


def on_cells(values: Tensor, cells: Sequence[int]) -> Tensor:
    """Labels (B, *S) or scores (B, C, *S) on a coarser grid, each cell with the value at its center."""
    if values.ndim == len(cells) + 2:
        return F.interpolate(values, tuple(cells), mode="nearest-exact")
    return F.interpolate(values[:, None].float(), tuple(cells), mode="nearest-exact")[:, 0].long()


@torch.no_grad()
def choose_anchors(
    labels: Tensor,
    predicted: Tensor,
    classes: int,
    generator: Generator,
    *,
    limits: AnchorLimits,
) -> Tensor:
    """Cells to compare: of each class in each image as many, half of them where the prediction errs.

    Args:
        labels: (B, N) class indices or IGNORE_LABEL.
        predicted: (B, N) class indices.

    Returns:
        (B, N) boolean.
    """
    index = torch.arange(classes, device=labels.device)[None, :, None]
    of_class = labels[:, None] == index  # (B, C, N)
    of_class = of_class & (of_class.sum(-1, keepdim=True) >= limits.fewest)
    pairs = total(of_class.any(-1).sum()).clamp(min=1)
    wanted = (limits.total // pairs).clamp(max=limits.each)
    hard, easy = of_class & (predicted != labels)[:, None], of_class & (predicted == labels)[:, None]
    hard_there, easy_there = hard.sum(-1), easy.sum(-1)  # (B, C)
    # Where one kind is short, the other fills up.
    hard_taken = torch.minimum(hard_there, torch.maximum(wanted // 2, wanted - easy_there))
    easy_taken = torch.minimum(easy_there, wanted - hard_taken)
    shape = of_all(len(labels)), *labels.shape[1:]
    order = own(torch.rand(shape, generator=generator, device=labels.device))[:, None]
    taken = _first(hard, order, hard_taken) | _first(easy, order, easy_taken)
    return taken.any(1)


def _first(mask: Tensor, order: Tensor, count: Tensor) -> Tensor:
    """The `count` (B, C) places of a mask (B, C, N) that come first in an order (B, 1, N) of 0...1."""
    rank = torch.where(mask, order, 2.0).argsort(-1).argsort(-1)
    return mask & (rank < count[..., None])
