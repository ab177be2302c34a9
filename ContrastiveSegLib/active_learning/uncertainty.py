"""How unsure a first model is in every slice of a case."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ContrastiveSegLib.inference.predictor import Predictor


def slice_uncertainty(
    predictor: Predictor, images: npt.NDArray[Any], *, slices: int
) -> npt.NDArray[np.float64]:
    """Mean entropy of the prediction in each slice: 0 certain ... 1 all classes alike everywhere.

    Args:
        images: (C, K, H, W), prepared for this network.
        slices: How many are wanted, should the features lie on a grid with other slices than these K.

    Returns:
        (slices,)
    """
    each = [_mean_entropy(np.asarray(plane, np.float32)) for plane in predictor.slices(images)]
    wanted, there = ((np.arange(n) + 0.5) / n for n in (slices, len(each)))
    return np.asarray(np.interp(wanted, there, each), np.float64)


def ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The share of values that are no larger, halves for ties: 0...1, whatever their scale."""
    return np.asarray((rankdata(values) - 0.5) / len(values), np.float64)


def _mean_entropy(probabilities: npt.NDArray[np.float32]) -> float:
    """Of one slice (classes, H, W)."""
    logs = np.log(np.clip(probabilities, 1e-6, 1))
    return float(-(probabilities * logs).sum(0).mean() / np.log(max(len(probabilities), 2)))
