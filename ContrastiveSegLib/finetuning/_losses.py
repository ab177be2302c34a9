"""Losses that look only at annotated voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.networks import one_hot
from torch import Tensor
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import total
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL

SMOOTH = 1e-5  # as in MONAI: a structure that is nowhere, and found nowhere, is no miss


def dice_ce(scores: Tensor, labels: Tensor) -> Tensor:
    """Dice plus cross-entropy, both over the known positions alone.

    Args:
        scores: (B, classes, *S), of any precision.
        labels: (B, *S) class indices, IGNORE_LABEL where nothing is annotated.

    Source: Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z.
    """
    known = (labels != IGNORE_LABEL)[:, None]
    # Softmax first: the scores of unknown positions must not touch those of known ones.
    probabilities = scores.float().softmax(1) * known
    truth = one_hot(labels.clamp(min=0)[:, None], num_classes=scores.shape[1]) * known
    return dice_loss(probabilities[:, 1:], truth[:, 1:]) + partial_cross_entropy(scores, labels)


def dice_loss(probabilities: Tensor, truth: Tensor) -> Tensor:
    """1 - Dice, the mean over classes, of probabilities and truth (B, classes, *S).

    One Dice over the images of all processes: a slice without the structure would otherwise count as a full
    miss. So MONAI's, which knows one process, is written out here.
    """
    axes = (0, *range(2, probabilities.ndim))
    both, each = (probabilities * truth).sum(axes), (probabilities + truth).sum(axes)
    both, each = total(torch.stack([both, each]))
    return (1 - (2 * both + SMOOTH) / (each + SMOOTH)).mean()


def dice_ce_at_every_level(maps: Sequence[Tensor], labels: Tensor) -> Tensor:
    """`dice_ce` of each map of scores, its weight halved with every coarser one, together 1.

    Args:
        maps: What `Backbone.training_scores` returns, fine to coarse.
        labels: (B, *S) at the size of the first.

    Source: the supplement of nnU-Net.
    """
    weights = [0.5**n for n in range(len(maps))]
    losses = [
        weight / sum(weights) * dice_ce(scores, _resized(labels, scores.shape[2:]))
        for weight, scores in zip(weights, maps, strict=True)
    ]
    return torch.stack(losses).sum()


def partial_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the known positions; 0 where there are none.

    Args:
        scores: (B, classes, *S), of any precision.
        labels: (B, *S) class indices, IGNORE_LABEL where nothing is annotated.
    """
    summed = F.cross_entropy(scores.float(), labels, ignore_index=IGNORE_LABEL, reduction="sum")
    return total(summed) / total((labels != IGNORE_LABEL).sum()).clamp(min=1)


def risen(share: float) -> float:
    """A weight that rises from nearly 0 to 1 while a share of the training, 0...1, passes.

    Source: Laine, Aila, Temporal ensembling for semi-supervised learning, ICLR 2017, arXiv 1610.02242.
    """
    return math.exp(-5 * (1 - min(max(share, 0.0), 1.0)) ** 2)


def _resized(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Labels (B, *S) at another size, each position the nearest of the old ones."""
    if labels.shape[1:] == tuple(size):
        return labels
    # Plain "nearest" takes a corner of each group of positions, which would shift the labels.
    return F.interpolate(labels[:, None].float(), size, mode="nearest-exact")[:, 0].long()
