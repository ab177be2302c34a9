"""Losses that look only where a person vouched for the label."""

from __future__ import annotations

from monai.losses import DiceLoss
from monai.networks import one_hot
from torch import Tensor
from torch.nn import functional as F

from ContrastiveSegLib.volumes.annotations import UNKNOWN

# One Dice over the batch: a slice without the structure would otherwise count as a full miss.
_dice = DiceLoss(include_background=False, batch=True)


def dice_ce(scores: Tensor, labels: Tensor) -> Tensor:
    """Dice plus cross-entropy, both over the known positions alone.

    Args:
        scores: (B, classes, *S), of any precision.
        labels: (B, *S) class indices, UNKNOWN where nobody vouched.

    Source: Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z.
    """
    known = (labels != UNKNOWN)[:, None]
    # Softmax first: the scores of unknown positions must not touch those of known ones.
    probabilities = scores.float().softmax(1) * known
    truth = one_hot(labels.clamp(min=0)[:, None], num_classes=scores.shape[1]) * known
    dice: Tensor = _dice(probabilities, truth)
    return dice + partial_cross_entropy(scores, labels)


def partial_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the known positions; 0 where there are none.

    Args:
        scores: (B, classes, *S), of any precision.
        labels: (B, *S) class indices, UNKNOWN where nobody vouched.
    """
    total = F.cross_entropy(scores.float(), labels, ignore_index=UNKNOWN, reduction="sum")
    return total / (labels != UNKNOWN).sum().clamp(min=1)
