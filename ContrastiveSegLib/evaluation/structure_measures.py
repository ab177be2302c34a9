"""What can be said of each structure in one segmented volume: how large it is, how bright, and where."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume

Point = tuple[float, float, float]


@dataclass(frozen=True)
class StructureMeasures:
    """One structure of one volume; all but name, value and volume are None where it is missing.

    Args:
        value: In the label map.
        gray_sd: Standard deviation of the sample; None for a single voxel.
        centroid_mm: x, y, z in DICOM's patient coordinates (LPS).
        box_mm: Lowest and highest x, y, z of its voxels, borders included, in the same coordinates.
        touches_border: Whether it reaches the border of the image, so that a part of it may be missing.
    """

    name: str
    value: int
    volume_ml: float
    gray_mean: float | None = None
    gray_sd: float | None = None
    gray_min: float | None = None
    gray_max: float | None = None
    centroid_mm: Point | None = None
    box_mm: tuple[Point, Point] | None = None
    touches_border: bool | None = None


def measure(labels: Volume, image: Volume, table: LabelTable) -> list[StructureMeasures]:
    """All structures of the table, in its order.

    Args:
        labels: (K, H, W) with the values of the table.
        image: (K, H, W) or (C, K, H, W) on the same grid; of several channels the first one is measured.
    """
    gray = image.array[0] if image.array.ndim == 4 else image.array
    shapes, grays = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelStatisticsImageFilter()
    shapes.ComputePerimeterOff()
    segmented = labels.to_sitk()
    shapes.Execute(segmented)
    # Both on one grid: a header written as text may differ in the last digit.
    grays.Execute(Volume(gray, labels.geometry).to_sitk(), segmented)
    return [
        _measured(structure.name, structure.value, labels.geometry, shapes, grays)
        if shapes.HasLabel(structure.value)
        else StructureMeasures(structure.name, structure.value, 0.0)
        for structure in table.structures
    ]


def _measured(
    name: str,
    value: int,
    grid: Geometry,
    shapes: sitk.LabelShapeStatisticsImageFilter,
    grays: sitk.LabelStatisticsImageFilter,
) -> StructureMeasures:
    sd = grays.GetSigma(value) if grays.GetCount(value) > 1 else math.nan
    x, y, z = shapes.GetCentroid(value)
    return StructureMeasures(
        name,
        value,
        shapes.GetPhysicalSize(value) / 1000,
        _known(grays.GetMean(value)),
        _known(sd),
        _known(grays.GetMinimum(value)),
        _known(grays.GetMaximum(value)),
        (x, y, z),
        _box_mm(shapes.GetBoundingBox(value), grid),
        shapes.GetNumberOfPixelsOnBorder(value) > 0,
    )


def _known(gray: float) -> float | None:
    """Images may hold values that are no numbers."""
    return gray if math.isfinite(gray) else None


def _box_mm(box: tuple[int, ...], grid: Geometry) -> tuple[Point, Point]:
    """The patient coordinates around a box of voxels, given as its first index i, j, k and its size."""
    sides = [(first - 0.5, first + size - 0.5) for first, size in zip(box[:3], box[3:], strict=True)]
    corners = grid.index_to_physical(np.array(list(itertools.product(*sides))))
    low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])
