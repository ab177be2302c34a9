"""What the gray values of a volume say of its own prediction: each structure has its shade in this scan.

One step of expectation and maximization, as Van Leemput et al., Automated model-based tissue classification
of MR images of the brain, IEEE Trans Med Imaging 1999, doi 10.1109/42.811270. There a normal distribution of
each class in the whole volume, here histograms of each slice and its neighbors, because light falls off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import softmax

from ContrastiveSegLib.volumes.gray_levels import BINS, NEAR_MM, density_of, levels_of

# A class that the network rules out stays that: no gray value outweighs this.
LEAST = 1e-4
# Slices by which the histograms are blurred.
BLUR_SLICES = 1.0


def correct_by_gray(probabilities: npt.NDArray[np.float16], image: npt.NDArray[Any], pixel_mm: float) -> None:
    """Hear the gray values near the structures; far away probabilities stay.

    Args:
        probabilities: (N, K, H, W), background first; changed in place, because a copy may need gigabytes.
        image: (C, K, H, W), gray values 0...1; channels are heard as one, by their mean.
    """
    nearby = list(_near(probabilities, pixel_mm))
    densities = [density_of(_counts(probabilities, channel, nearby)) for channel in image]
    for k, near in enumerate(nearby):
        heard = [
            np.log(density[:, k][:, levels_of(channel[k])[near]])
            for density, channel in zip(densities, image, strict=True)
        ]
        said = np.log(probabilities[:, k, near].astype(np.float32) + LEAST)
        probabilities[:, k, near] = softmax(said + np.mean(heard, axis=0), axis=0)


def _near(probabilities: npt.NDArray[Any], pixel_mm: float) -> Iterator[npt.NDArray[np.bool_]]:
    """For each slice what lies within NEAR_MM of a structure."""
    for background in probabilities[0]:
        outside = background > 0.5
        if outside.all():
            yield ~outside
        else:
            yield ndimage.distance_transform_edt(outside) <= NEAR_MM / pixel_mm


def _counts(
    probabilities: npt.NDArray[Any], channel: npt.NDArray[Any], nearby: list[npt.NDArray[np.bool_]]
) -> npt.NDArray[np.float64]:
    """How often each class shows each gray level: (N, K, BINS), of a slice and its neighbors."""
    counts = np.zeros((len(probabilities), len(nearby), BINS))
    for k, near in enumerate(nearby):
        levels = levels_of(channel[k])[near]
        for n, probability in enumerate(probabilities):
            counts[n, k] = np.bincount(levels, probability[k][near].astype(np.float64), BINS)
    blurred: npt.NDArray[np.float64] = ndimage.gaussian_filter1d(counts, BLUR_SLICES, axis=1, mode="nearest")
    return blurred
