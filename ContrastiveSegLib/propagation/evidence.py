"""Combine the evidence for each pixel: spatial prior, intensity model and promptable model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import softmax

from ContrastiveSegLib.propagation.filled_contours import TOUCHING
from ContrastiveSegLib.propagation.model_likelihood import ModelEvidence
from ContrastiveSegLib.sam._model import Labels

Probabilities = npt.NDArray[np.float64]

# Pixels by which probabilities are smoothed: a structure is no single pixel.
SMOOTHNESS = 1.5


def together(*scores: npt.NDArray[np.float64]) -> Probabilities:
    """Independent scores (N, H, W) in log odds as smooth probabilities."""
    probabilities = softmax(np.sum(scores, axis=0), axis=0)
    return ndimage.gaussian_filter(probabilities, (0, SMOOTHNESS, SMOOTHNESS))


def with_evidence(
    probabilities: Probabilities, classes: Sequence[int], evidence: Iterable[ModelEvidence]
) -> Probabilities:
    """The probabilities (N, H, W), updated by the evidence of a model."""
    scores = np.log(probabilities + 1e-6)
    for one in evidence:
        inside, outside = -np.logaddexp(0, -one.logits), -np.logaddexp(0, one.logits)
        for n, value in enumerate(classes):
            scores[n] += inside if value in one.members else outside
    return softmax(scores, axis=0)


def decided(probabilities: Probabilities, classes: Sequence[int], before: Labels) -> Labels:
    """The likeliest class of each pixel (H, W): components that touch where it was before, without gaps."""
    winners = np.asarray(classes)[probabilities.argmax(axis=0)]
    labels = np.zeros_like(before)
    for value in classes:
        if value:
            components, _ = ndimage.label(winners == value, TOUCHING)
            touching = np.unique(components[before == value])
            whole = ndimage.binary_fill_holes(np.isin(components, touching[touching > 0]))
            labels[whole & ((winners == value) | (winners == 0))] = value
    return labels
