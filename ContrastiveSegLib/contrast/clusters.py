"""Soft clusters: balanced assignments to prototypes, and centered, sharpened teachers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ContrastiveSegLib.distributed.gathering import gathered, mean, own


@torch.no_grad()
def balanced_assignments(scores: Tensor, *, epsilon: float = 0.05, rounds: int = 3) -> Tensor:
    """Spread images evenly over prototypes: (N, K) to (N, K), rows sum to 1.

    Args:
        scores: Cosine of each image with each prototype.
        epsilon: Epsilon of the entropy; smaller is harder.
        rounds: Alternations of Sinkhorn and Knopp between prototypes and images.

    Source: Caron et al., SwAV, NeurIPS 2020, arXiv 2006.09882, equation 3 and algorithm 1.
    """
    # In logarithms: at a small epsilon every exponential of an image far from all prototypes would be 0.
    shares = gathered(scores).float() / epsilon
    for _ in range(rounds):
        shares = shares.log_softmax(0)
        shares = shares.log_softmax(1)
    return own(shares.exp())


def swapped_loss(scores: Tensor, targets: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Predict one view's assignment from the other's scores: cross-entropy, mean over rows (N, K)."""
    return mean(-(targets * (scores.float() / temperature).log_softmax(1)).sum(1))


class Teacher(nn.Module):
    """Turns the slow network's outputs into targets: centered, so that no output wins always, and sharpened.

    Source: Caron et al., DINO, ICCV 2021, arXiv 2104.14294, equations 2 and 4.
    """

    center: Tensor

    def __init__(self, outputs: int, *, temperature: float = 0.04, momentum: float = 0.9) -> None:
        super().__init__()
        self.temperature, self.momentum = temperature, momentum
        self.register_buffer("center", torch.zeros(outputs))

    @torch.no_grad()
    def forward(self, scores: Tensor) -> Tensor:
        """Scores (N, K) to targets (N, K), rows sum to 1."""
        targets = ((scores.float() - self.center) / self.temperature).softmax(1)
        self.center.lerp_(gathered(scores.float()).mean(0), 1 - self.momentum)
        return targets


def distillation_loss(scores: Tensor, targets: Tensor, *, temperature: float = 0.1) -> Tensor:
    """The student's scores (N, K) against the teacher's targets (N, K): cross-entropy."""
    return swapped_loss(scores, targets, temperature=temperature)
