"""Steady what was drawn slice by slice, by the slices beside and by the shades of the whole volume.

Who errs in each slice anew can be mended by what lies beside. Outlines that agree from slice to slice gain
nothing from it, so that is asked first.
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

# What a slice beside counts, where the slice itself counts 1, and how far an outline is expected to stray;
# less than that is the anatomy itself. Chosen on sixteen cardiac patients (Testing/Benchmarks/RESULTS.md).
BESIDE, STRAYING_MM = 0.5, 2.0
# So many slices tell how far outlines stray.
ASKED = 20


@dataclass(frozen=True, eq=False)
class SliceConsistency:
    """A volume of gray slices (K, H, W) with labels, the same shape, that are nearly right."""

    slices: npt.NDArray[np.uint8]
    labels: Labels
    shades: IntensityModel
    pixel_mm: float

    @classmethod
    def of(cls, slices: npt.NDArray[np.uint8], labels: npt.NDArray[Any], pixel_mm: float) -> SliceConsistency:
        """Learn the shade of each structure from all slices."""
        named = np.stack([with_holes(drawn.astype(np.int32)) for drawn in labels])
        return cls(slices, named, IntensityModel.of(slices, named, pixel_mm), pixel_mm)

    def straying_mm(self) -> float:
        """How far outlines lie from those of the slice beside, moved along: the median, 0 without any."""
        drawn = [k for k in range(len(self.labels) - 1) if self.labels[k].any() and self.labels[k + 1].any()]
        asked = {drawn[n] for n in np.linspace(0, len(drawn) - 1, ASKED).astype(int)} if drawn else set()
        distances = []
        for k in asked:
            moved = self._moved(k + 1, k)
            shared = np.intersect1d(moved[moved != 0], self.labels[k])
            distances += [_distance(self.labels[k] == value, moved == value) for value in shared]
        return float(np.median(distances)) * self.pixel_mm if distances else 0.0

    def slice(self, k: int, gate: float) -> Labels:
        """The labels (H, W) of slice `k`, steadied; a structure that departs too far stays as it was.

        Args:
            gate: Smallest overlap (intersection over union) of a structure with what it was.
        """
        was = self.labels[k]
        classes = [0, *(int(value) for value in np.unique(was) if value)]
        places = self._expected([(1.0, was), *((BESIDE, moved) for moved in self._beside(k))], classes)
        shades = self.shades.log_likelihood(self.slices[k], classes)
        now = np.maximum(decided(together(places, shades), classes, was), 0)
        kept = [v for v in classes if v > 0 and not judge(now == v, was == v, gate).accepted]
        now[np.isin(now, kept)] = 0
        return np.where(np.isin(was, kept), was, now)

    def _beside(self, k: int) -> list[Labels]:
        """The labels of the slices below and above, moved to where they lie in this one."""
        return [self._moved(n, k) for n in (k - 1, k + 1) if 0 <= n < len(self.slices)]

    def _moved(self, k: int, to: int) -> Labels:
        return moved_along(self.labels[k], self.slices[k], self.slices[to], self.pixel_mm)

    def _expected(
        self, shown: Sequence[tuple[float, Labels]], classes: Sequence[int]
    ) -> npt.NDArray[np.float64]:
        """Log odds (N, H, W) of each class: the mean over the slices that show it, by what they count."""
        reach = max(1.0, STRAYING_MM / self.pixel_mm)
        scores = np.full((len(classes), *self.labels.shape[1:]), FARTHEST)
        for score, value in zip(scores, classes, strict=True):
            heard = [(weight, labels) for weight, labels in shown if (labels == value).any()]
            if heard:
                each = [expected(labels, [value], reach)[0] for _, labels in heard]
                score[:] = np.average(each, axis=0, weights=[weight for weight, _ in heard])
        return scores


def _distance(outline: Mask, other: Mask) -> float:
    """Mean pixels from the border of a mask (H, W) to that of another."""
    border = outline & ~ndimage.binary_erosion(outline)
    away = ndimage.distance_transform_edt(other) + ndimage.distance_transform_edt(~other)
    return float(away[border].mean()) - 0.5
