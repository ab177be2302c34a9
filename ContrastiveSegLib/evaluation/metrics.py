"""Dice, HD95 and surface distance in mm between two labelings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects
from scipy.spatial import KDTree

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.imaging.label_array import translated

IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
Box = tuple[slice, ...]

ABSENT = "in neither the prediction nor the label: no value can be given"
MISSED = "in the label but not predicted: Dice is 0, distances have no value"
INVENTED = "predicted but not in the label: Dice is 0, distances have no value"


@dataclass(frozen=True)
class StructureMetrics:
    """How well one structure of one case agrees; a figure that has no meaning is nan and `note` says why."""

    value: int
    dice: float
    hd95_mm: float
    asd_mm: float
    volume_ml: float
    truth_volume_ml: float
    intersection: int
    prediction_voxels: int
    truth_voxels: int
    note: str


def compare(
    prediction: IntArray,
    truth: IntArray,
    *,
    spacing_khw: tuple[float, float, float],
    values: Sequence[int],
) -> list[StructureMetrics]:
    """Compare two labelings of one grid, structure by structure.

    Args:
        prediction: Label map (K, H, W).
        truth: Label map (K, H, W) of the same grid.
        spacing_khw: Distance in mm between voxel centers along K, H and W.
        values: The structures to compare, each 1 or more; the answer keeps their order.

    Raises:
        BadFile: The two grids differ, or a map does not hold whole numbers.
        BadSetting: A value is below 1, or a spacing is not a positive number.
    """
    _check_maps(prediction, truth)
    _check_numbers(spacing_khw, values)
    boxes = [_boxes(one, values) for one in (prediction, truth)]
    # Beyond the only slice of a volume is not "outside the organ": such volumes are compared in their plane.
    axes = [axis for axis, size in enumerate(truth.shape) if size > 1] or [0]
    found = []
    for value, *pair in zip(values, *boxes, strict=True):
        box = _union(*pair)
        masks = (prediction[box] == value, truth[box] == value)
        found.append(_compare_masks(value, *masks, spacing_khw=spacing_khw, axes=axes))
    return found


def pooled_dice(found: Iterable[StructureMetrics]) -> dict[int, float]:
    """Dice per value over the voxels of all cases together, as published tables of MACL and SuperCL have it.

    Large cases weigh more than small ones: it is not the mean of the cases' Dice. A structure that no case
    has is nan.

    Source: MACL, IEEE JBHI 2026, arXiv 2309.11876: 2I / (U + I), summed before dividing.
    """
    shared: dict[int, int] = defaultdict(int)
    total: dict[int, int] = defaultdict(int)
    for metrics in found:
        shared[metrics.value] += metrics.intersection
        # U + I is the size of both masks together.
        total[metrics.value] += metrics.prediction_voxels + metrics.truth_voxels
    return {value: _ratio(2 * shared[value], total[value]) for value in total}


def _boxes(label_map: IntArray, values: Sequence[int]) -> list[tuple[slice, ...] | None]:
    """The box around each value; None where it does not occur."""
    numbers = {value: number for number, value in enumerate(values, start=1)}
    return list(find_objects(translated(label_map, numbers), max_label=len(values)))


def _compare_masks(
    value: int,
    prediction: BoolArray,
    truth: BoolArray,
    *,
    spacing_khw: tuple[float, float, float],
    axes: Sequence[int],
) -> StructureMetrics:
    predicted_voxels, truth_voxels = int(np.count_nonzero(prediction)), int(np.count_nonzero(truth))
    intersection = int(np.count_nonzero(prediction & truth))
    note = _note(predicted_voxels, truth_voxels)
    if note:
        hd95_mm = asd_mm = float("nan")
    else:
        hd95_mm, asd_mm = _surface_figures(prediction, truth, spacing_khw, axes)
    ml_per_voxel = float(np.prod(spacing_khw)) / 1000.0
    return StructureMetrics(
        value=value,
        dice=_ratio(2 * intersection, predicted_voxels + truth_voxels),
        hd95_mm=hd95_mm,
        asd_mm=asd_mm,
        volume_ml=predicted_voxels * ml_per_voxel,
        truth_volume_ml=truth_voxels * ml_per_voxel,
        intersection=intersection,
        prediction_voxels=predicted_voxels,
        truth_voxels=truth_voxels,
        note=note,
    )


def _note(predicted_voxels: int, truth_voxels: int) -> str:
    if predicted_voxels and truth_voxels:
        return ""
    if truth_voxels:
        return MISSED
    return INVENTED if predicted_voxels else ABSENT


def _surface_figures(
    prediction: BoolArray, truth: BoolArray, spacing_khw: tuple[float, float, float], axes: Sequence[int]
) -> tuple[float, float]:
    """HD95 (the larger directed 95th percentile) and the mean over both surfaces in mm, as MONAI."""
    predicted_surface, truth_surface = surface(prediction, axes), surface(truth, axes)
    there = _distances(predicted_surface, truth_surface, spacing_khw)
    back = _distances(truth_surface, predicted_surface, spacing_khw)
    hd95_mm = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(hd95_mm), float(np.concatenate([there, back]).mean())


def surface(mask: BoolArray, axes: Sequence[int]) -> BoolArray:
    """Voxels of the mask that have a face neighbor outside it; what lies beyond the array is outside."""
    padded = np.pad(mask, 1)
    inside = mask.copy()
    for axis in axes:
        for start in (0, 2):
            window = [slice(1, 1 + size) for size in mask.shape]
            window[axis] = slice(start, start + mask.shape[axis])
            inside &= padded[tuple(window)]
    return mask & ~inside


def _distances(start: BoolArray, target: BoolArray, spacing_khw: tuple[float, float, float]) -> FloatArray:
    """Distance in mm from every surface voxel of `start` (N,) to the nearest one of `target`."""
    # Good predictions share most of their surface; those distances are 0 without a search, and a
    # tree of the few surface points is many times faster than a distance map of the whole box.
    away = np.argwhere(start & ~target) * np.asarray(spacing_khw)
    distances = np.zeros(int(np.count_nonzero(start)))
    if len(away):
        tree = KDTree(np.argwhere(target) * np.asarray(spacing_khw), balanced_tree=False, compact_nodes=False)
        distances[: len(away)] = tree.query(away, workers=-1)[0]
    return distances


def _union(first: Box | None, second: Box | None) -> Box:
    """The box that holds both; an empty box when there is neither."""
    if first is None or second is None:
        return first or second or (slice(0, 0),) * 3
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True)
    )


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else float("nan")


def _check_maps(prediction: IntArray, truth: IntArray) -> None:
    if prediction.shape != truth.shape or truth.ndim != 3:
        raise BadFile(
            f"Two label maps cannot be compared: the prediction has {prediction.shape} voxels (K, H, W), "
            f"the label {truth.shape}.",
            "Bring both onto one three-dimensional grid first.",
        )
    for name, array in (("prediction", prediction), ("label", truth)):
        if array.dtype.kind not in "iu":
            raise BadFile(
                f"The {name} holds numbers of type {array.dtype}, expected whole numbers.",
                "Store one whole number per structure, 0 for the background.",
            )


def _check_numbers(spacing_khw: tuple[float, float, float], values: Sequence[int]) -> None:
    if not all(np.isfinite(step) and step > 0 for step in spacing_khw):
        raise BadSetting(
            f"The voxel spacing {spacing_khw} mm cannot be used for distances.",
            "Give three positive numbers, for the slice axis, the rows and the columns.",
        )
    if any(value < 1 for value in values):
        raise BadSetting(
            f"Structure values {sorted(values)} contain one below 1.",
            "Name structures by values of 1 or more; 0 is the background.",
        )
