"""The Dice that a prediction may expect: how certain the network is of what it predicts.

Source: docs/research-log/unannotated-scans.md compares it with other signals. Left-out annotated cases
calibrate it by isotonic regression, as Zadrozny and Elkan, KDD 2002, doi 10.1145/775047.775151.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.postprocessing.confidence import LEVELS, confidence_levels
from ContrastiveSegLib.postprocessing.connected_components import Group, keep_largest
from ContrastiveSegLib.postprocessing.spatial_prior import Places, keep_likely

Array = npt.NDArray[np.float64]
Slice = npt.NDArray[np.float16]

# Fewer left-out cases say more of themselves than of all others.
FEWEST = 4


class Certainty:
    """Listens to the probabilities of a volume, slice by slice; two or three bytes of each voxel are kept."""

    def __init__(self) -> None:
        self._winners: list[npt.NDArray[Any]] = []
        self._levels: list[npt.NDArray[np.uint8]] = []
        self._classes = 0

    def collect(self, slices: Iterable[Slice]) -> Iterator[Slice]:
        """The same slices (N, H, W), background first."""
        for probabilities in slices:
            kind = np.uint8 if len(probabilities) <= 256 else np.int16
            self._winners.append(probabilities.argmax(0).astype(kind))
            self._levels.append(confidence_levels(probabilities))
            self._classes = len(probabilities)
            yield probabilities

    def of_each(self, groups: Sequence[Group], places: Places, grid: Geometry) -> Array:
        """(structures,) mean probability in the kept components of each; nan where a structure is missing.

        Asked once, at the end; what was collected is deleted then.

        Args:
            groups: Of classes of which one component is kept, the one at its place if that is known.
        """
        likely = np.stack(self._winners)
        self._winners.clear()  # whole volumes: what nobody needs any more makes room
        if placed := [group for group in groups if group in places]:
            likely = keep_likely(likely, placed, places, grid)
        sums, counts = np.zeros(self._classes), np.zeros(self._classes, np.int64)
        # Plane by plane: of a whole volume both would be made anew with eight bytes per voxel.
        for plane, levels in zip(keep_largest(likely, groups), self._levels, strict=True):
            sums += np.bincount(plane.ravel(), levels.ravel(), self._classes)
            counts += np.bincount(plane.ravel(), minlength=self._classes)
        certain, predicted = sums[1:] / (LEVELS - 1), counts[1:]
        return np.where(predicted > 0, certain / np.maximum(predicted, 1), np.nan)


@dataclass(frozen=True)
class Expectation:
    """What turns the certainty of a prediction into the Dice that may be expected.

    Args:
        always: Classes that every annotated case shows; where one is missing, its Dice is expected to be 0.
        certainty: Certainty in left-out annotated cases, ascending, ...
        dice: ... and their Dice; both empty where there were too few.
        cases: How many left-out cases these are from.
    """

    always: tuple[int, ...] = ()
    certainty: tuple[float, ...] = ()
    dice: tuple[float, ...] = ()
    cases: int = 0

    def certainty_of(self, each: npt.NDArray[Any]) -> float:
        """Mean over the structures; 0 where nothing at all was predicted."""
        there = [
            0.0 if np.isnan(value) else float(value)
            for index, value in enumerate(each, start=1)
            if index in self.always or not np.isnan(value)
        ]
        return float(np.mean(there)) if there else 0.0

    def dice_of(self, each: npt.NDArray[Any]) -> float:
        """The Dice that may be expected, the mean over structures, 0...1."""
        certainty = self.certainty_of(each)
        if not self.dice:
            return certainty
        # Less certainty than in any left-out case is worse than any of them, so the line goes on to 0.
        return float(np.interp(certainty, (0.0, *self.certainty), (0.0, *self.dice)))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a model card."""
        return asdict(self)

    @classmethod
    def from_json(cls, card: Mapping[str, Any]) -> Expectation:
        """The other way round; a model from before there was such a thing has an empty one."""
        lists = {key: tuple(card.get(key, ())) for key in ("always", "certainty", "dice")}
        return cls(**lists, cases=card.get("cases", 0))


def calibrated(always: Sequence[int], certainty: Sequence[float], dice: Sequence[float]) -> Expectation:
    """Fit a line that never falls to the certainty and the Dice of left-out cases, if there are enough."""
    if len(dice) < FEWEST:
        return Expectation(tuple(always))
    values, which, counts = np.unique(certainty, return_inverse=True, return_counts=True)
    fitted = isotonic_regression(np.bincount(which, dice) / counts, weights=counts)
    # The middle of each level, so that between two levels more certainty still counts.
    levels = [slice(*ends) for ends in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True)]
    middles = [float(np.average(values[level], weights=counts[level])) for level in levels]
    heights = [float(fitted.x[level.start]) for level in levels]
    return Expectation(tuple(always), tuple(middles), tuple(heights), len(dice))
