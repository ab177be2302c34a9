"""The intensity model: histograms of each structure, fitted to annotated slices, evaluated in the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.postprocessing.histograms import BINS, NEAR_MM, density_of, levels_of
from ContrastiveSegLib.sam._model import Labels, Slice

Histogram = npt.NDArray[np.float64]

# A histogram needs at least this number of pixels.
FEWEST = 20


@dataclass(frozen=True, eq=False)
class IntensityModel:
    """The histogram of each class, background (0) among them; each sums to 1."""

    histograms: Mapping[int, Histogram]

    @classmethod
    def of(cls, slices: npt.NDArray[np.uint8], labels: Labels, pixel_mm: float) -> IntensityModel:
        """Count the gray values of slices (K, H, W) under their labels (K, H, W), without empty slices."""
        counts: dict[int, Histogram] = {}
        for image, shown in zip(slices, labels, strict=True):
            near = ndimage.distance_transform_edt(shown == 0) <= NEAR_MM / pixel_mm
            bins = _bins(image)
            for value in np.unique(shown) if shown.any() else ():
                found = np.bincount(bins[near & (shown == value)], minlength=BINS)
                counts[int(value)] = counts.get(int(value), np.zeros(BINS)) + found
        return cls({value: found / found.sum() for value, found in counts.items() if found.sum() >= FEWEST})

    def moved_towards(self, other: IntensityModel, share: float) -> IntensityModel:
        """The mean with the histograms of another slice, which have this share, for the classes it shows."""
        both = {v: (1 - share) * h + share * other.histograms.get(v, h) for v, h in self.histograms.items()}
        return IntensityModel({**other.histograms, **both})

    def log_likelihood(self, image: Slice, classes: Sequence[int]) -> npt.NDArray[np.float64]:
        """The log likelihood of each class at each pixel of (H, W): (N, H, W).

        A class without a histogram fits like the background, so that other evidence decides.
        """
        bins = _bins(image)
        unknown = self.histograms.get(0, np.full(BINS, 1 / BINS))
        return np.stack([np.log(density_of(self.histograms.get(value, unknown)))[bins] for value in classes])


def _bins(image: Slice) -> npt.NDArray[np.int64]:
    return levels_of(image / np.float32(256))
