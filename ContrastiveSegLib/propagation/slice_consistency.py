"""Inter-slice consistency: correct outlines by those of the neighboring slices and by an intensity model.

Errors that differ from slice to slice can be corrected by the neighbors. Outlines that agree from slice to
slice gain nothing from it, so the deviation is measured first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.propagation.acceptance import judge
from ContrastiveSegLib.propagation.evidence import decided, together
from ContrastiveSegLib.propagation.intensity_model import IntensityModel
from ContrastiveSegLib.propagation.optical_flow import moved_along
from ContrastiveSegLib.propagation.spatial_prior import FARTHEST, expected, with_holes
from ContrastiveSegLib.sam._model import Labels, Mask

# The weight of a neighboring slice, where the slice itself has 1, and how far an outline is expected to
# deviate; less than that is the anatomy itself. Chosen on sixteen cardiac patients
# (Testing/Benchmarks/RESULTS.md).
BESIDE, DEVIATION_MM = 0.5, 2.0
# Number of slices on which the deviation is measured.
ASKED = 20


@dataclass(frozen=True, eq=False)
class SliceConsistency:
    """A volume of gray slices (K, H, W) with labels, the same shape, that are nearly right."""

    slices: npt.NDArray[np.uint8]
    labels: Labels
    intensity_model: IntensityModel
    pixel_mm: float

    @classmethod
    def of(cls, slices: npt.NDArray[np.uint8], labels: npt.NDArray[Any], pixel_mm: float) -> SliceConsistency:
        """Fit the intensity model to all slices."""
        named = np.stack([with_holes(drawn.astype(np.int32)) for drawn in labels])
        return cls(slices, named, IntensityModel.of(slices, named, pixel_mm), pixel_mm)

    def deviation_mm(self) -> float:
        """Median distance of outlines from those of the next slice, moved by optical flow; 0 without any."""
        drawn = [k for k in range(len(self.labels) - 1) if self.labels[k].any() and self.labels[k + 1].any()]
        asked = {drawn[n] for n in np.linspace(0, len(drawn) - 1, ASKED).astype(int)} if drawn else set()
        distances = []
        for k in asked:
            moved = self._moved(k + 1, k)
            shared = np.intersect1d(moved[moved != 0], self.labels[k])
            distances += [_distance(self.labels[k] == value, moved == value) for value in shared]
        return float(np.median(distances)) * self.pixel_mm if distances else 0.0

    def slice(self, k: int, smallest_overlap: float) -> Labels:
        """The corrected labels (H, W) of slice `k`; a structure that would change too much stays as it was.

        Args:
            smallest_overlap: Intersection over union of a structure with what it was.
        """
        was = self.labels[k]
        classes = [0, *(int(value) for value in np.unique(was) if value)]
        prior = self._expected([(1.0, was), *((BESIDE, moved) for moved in self._beside(k))], classes)
        likelihood = self.intensity_model.log_likelihood(self.slices[k], classes)
        now = np.maximum(decided(together(prior, likelihood), classes, was), 0)
        unchanged = [v for v in classes if v > 0 and not judge(now == v, was == v, smallest_overlap).accepted]
        now[np.isin(now, unchanged)] = 0
        return np.where(np.isin(was, unchanged), was, now)

    def _beside(self, k: int) -> list[Labels]:
        """The labels of the slices below and above, moved to where they lie in this one."""
        return [self._moved(n, k) for n in (k - 1, k + 1) if 0 <= n < len(self.slices)]

    def _moved(self, k: int, to: int) -> Labels:
        return moved_along(self.labels[k], self.slices[k], self.slices[to], self.pixel_mm)

    def _expected(
        self, shown: Sequence[tuple[float, Labels]], classes: Sequence[int]
    ) -> npt.NDArray[np.float64]:
        """Log odds (N, H, W) of each class: the weighted mean over the slices that show it."""
        reach = max(1.0, DEVIATION_MM / self.pixel_mm)
        scores = np.full((len(classes), *self.labels.shape[1:]), FARTHEST)
        for score, value in zip(scores, classes, strict=True):
            those = [(weight, labels) for weight, labels in shown if (labels == value).any()]
            if those:
                each = [expected(labels, [value], reach)[0] for _, labels in those]
                score[:] = np.average(each, axis=0, weights=[weight for weight, _ in those])
        return scores


def _distance(outline: Mask, other: Mask) -> float:
    """Mean pixels from the border of a mask (H, W) to that of another."""
    border = outline & ~ndimage.binary_erosion(outline)
    away = ndimage.distance_transform_edt(other) + ndimage.distance_transform_edt(~other)
    return float(away[border].mean()) - 0.5
