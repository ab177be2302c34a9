"""A trained network that labels prepared cases, and what may be expected of its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.postprocessing.confidence import confidence_levels
from ContrastiveSegLib.postprocessing.connected_components import Group, keep_largest
from ContrastiveSegLib.postprocessing.expected_dice import Certainty, Expectation, calibrated
from ContrastiveSegLib.postprocessing.intensity_refinement import refine_by_intensities
from ContrastiveSegLib.postprocessing.spatial_prior import Places, remove_unlikely
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.session.device import Compute


@dataclass(frozen=True)
class Teacher:
    """A trained network and all that prediction on the working grid needs.

    Args:
        components: Groups of classes of which one component is kept.
        names: Of the structures, in the order of the classes from 1 on.
    """

    network: Callable[..., Any]
    patch: tuple[int, ...]
    compute: Compute
    components: tuple[Group, ...]
    names: list[str]
    mirrored: bool = False

    def predict(self, case: PreparedCase) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Classes and levels of confidence (K, H, W), with every component that was found."""
        slices = self._probabilities(case)
        each = [(probabilities.argmax(0), confidence_levels(probabilities)) for probabilities in slices]
        classes, levels = zip(*each, strict=True)
        return np.stack(classes), np.stack(levels)

    def label(self, case: PreparedCase, places: Places) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """Classes (K, H, W) of the kept components, and how certain the network is of each structure."""
        certainty = Certainty()
        slices = certainty.collect(self._probabilities(case))
        slices = remove_unlikely(slices, self.components, places, case.working)
        labels = np.stack([probabilities.argmax(0) for probabilities in slices])
        return keep_largest(labels, self.components), certainty.of_each(self.components, places, case.working)

    def _probabilities(self, case: PreparedCase) -> Iterator[npt.NDArray[np.float16]]:
        """Probabilities (classes, H, W) of each slice, corrected by the gray values of the case."""
        predictor = Predictor(self.network, self.patch, self.compute)
        slices = predictor.slices(case.images, mirror=self.mirrored)
        return refine_by_intensities(slices, case.images, case.working.spacing_khw[-1])


def expectation_of(
    teacher: Teacher, training: Sequence[PreparedCase], left_out: Sequence[PreparedCase], places: Places
) -> Expectation:
    """What may be expected of the predictions of a network, as left-out whole annotated cases show."""
    whole = [case for case in (*training, *left_out) if case.annotation == "cases"]
    always = [
        index
        for index in range(1, len(teacher.names) + 1)
        if whole and all(any(index in seen for seen in case.classes_of_slices()) for case in whole)
    ]
    certainty, dice = [], []
    for case in left_out:
        if case.annotation != "cases":
            continue
        labels, each = teacher.label(case, places)
        certainty.append(Expectation(tuple(always)).certainty_of(each))
        each_dice = _dice(labels, case.label_map, len(teacher.names))
        dice.append(1.0 if np.isnan(each_dice).all() else float(np.nanmean(each_dice)))
    return calibrated(always, certainty, dice)


def dice_of(teacher: Teacher, cases: Sequence[PreparedCase], places: Places) -> npt.NDArray[np.float64]:
    """Mean Dice of each structure in annotated cases, labeled as by prediction; nan where none shows it."""
    every = np.array([_dice(teacher.label(c, places)[0], c.label_map, len(teacher.names)) for c in cases])
    there = np.isfinite(every).sum(0)
    return np.where(there > 0, np.nansum(every, 0) / np.maximum(there, 1), np.nan)


def _dice(found: npt.NDArray[Any], true: npt.NDArray[Any], structures: int) -> npt.NDArray[np.float64]:
    """Dice of each structure in the annotated voxels; nan where neither labeling shows it."""
    found = np.where(np.asarray(true) == IGNORE_LABEL, IGNORE_LABEL, found)
    dice = np.full(structures, np.nan)
    for index in range(1, structures + 1):
        size = (found == index).sum() + (true == index).sum()
        if size:
            dice[index - 1] = 2 * ((found == index) & (true == index)).sum() / size
    return dice
