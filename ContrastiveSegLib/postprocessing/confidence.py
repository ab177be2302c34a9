"""Which voxels of a prediction are certain enough to teach: above a quantile of each structure's confidence.

Source: docs/strategies/self_training.md; quantiles per class as Zou et al.,
Unsupervised domain adaptation via class-balanced self-training, ECCV 2018, arXiv 1810.07911.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL

LEVELS = 256


def confidence_levels(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The largest probability of each voxel in 256 levels: (N, K, H, W) to (K, H, W)."""
    levels: npt.NDArray[np.uint8] = np.round(probabilities.max(0).astype(np.float32) * (LEVELS - 1)).astype(
        np.uint8
    )
    return levels


def count_levels(
    labels: npt.NDArray[Any], levels: npt.NDArray[np.uint8], classes: int
) -> npt.NDArray[np.int64]:
    """How many voxels of each class have each level: (classes, LEVELS)."""
    both = labels.astype(np.int64).ravel() * LEVELS + levels.ravel()
    return np.bincount(both, minlength=classes * LEVELS).reshape(classes, LEVELS)


def lowest_levels(counts: npt.NDArray[np.int64], unknown: float) -> npt.NDArray[np.int64]:
    """The lowest level of each class that still teaches: (classes, LEVELS) to (classes,).

    Each structure loses at most this share of its voxels. Background is judged by the mean of the structures'
    levels: nearly all of it is far away and certain, so that a quantile of its own would leave out just its
    border with the structures, and these would grow.

    Args:
        unknown: Share of each structure's voxels that stay unknown, 0...1.
    """
    below = np.cumsum(counts, axis=1) - counts  # voxels of lower levels
    allowed = below <= unknown * counts.sum(1, keepdims=True)
    lowest: npt.NDArray[np.int64] = LEVELS - 1 - np.argmax(allowed[:, ::-1], axis=1)
    there = counts[1:].sum(1) > 0
    lowest[0] = round(float(lowest[1:][there].mean())) if there.any() else 0
    return lowest


def certain(
    labels: npt.NDArray[Any], levels: npt.NDArray[np.uint8], lowest: npt.NDArray[np.int64]
) -> npt.NDArray[np.int16]:
    """The labels (K, H, W), IGNORE_LABEL where a voxel is below the lowest level of its class."""
    return np.where(levels < lowest[labels], np.int16(IGNORE_LABEL), labels.astype(np.int16))


def used_shares(
    counts: npt.NDArray[np.int64],
    lowest: npt.NDArray[np.int64],
    everywhere: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float64]:
    """The share of each class's voxels that teach, nan where there are none: (classes,).

    Args:
        counts: Of the cases that teach.
        everywhere: Of all cases, if some do not teach.
    """
    teach = np.arange(LEVELS) >= lowest[:, None]
    total = (counts if everywhere is None else everywhere).sum(1)
    return np.where(total > 0, (counts * teach).sum(1) / np.maximum(total, 1), np.nan)
