"""The one annotated slice of a volume: where it lies, and in which plane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.alignment import Placed, labels_on_grid
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.propagation.gray_slices import Cut


@dataclass(frozen=True, eq=False)
class AnnotatedSlice:
    """An annotated slice.

    Args:
        number: From 0, along the axis of the cut.
        labels: (H, W).
    """

    cut: Cut
    number: int
    labels: npt.NDArray[Any]


def find_annotated_slice(
    annotation: Volume, path: Path, *, plane: str = "auto", number: int | None = None
) -> AnnotatedSlice:
    """Find the annotated slice.

    Args:
        path: The annotation's file, for errors.
        plane: "auto" looks in which plane the annotation is one slice thick, first as the volume was scanned.
        number: Which slice counts if several are annotated.

    Raises:
        BadFile: Nothing is annotated, several slices are, the chosen one is not, or there is only one slice.
    """
    if not annotation.array.any():
        raise BadFile(f"{path} is empty: every voxel is background.", "Annotate one slice and save it again.")
    cut = _cut(annotation, plane, free=number is None)
    slices = cut.stack(annotation.array)
    if len(slices) == 1:
        raise BadFile(f"{path} belongs to an image of one slice.", "There is nothing to carry it to.")
    shown = [int(k) for k in np.flatnonzero(slices.any(axis=(1, 2)))]
    if number is None and len(shown) > 1:
        raise BadFile(
            f"{path} has structures in {len(shown)} slices, from {shown[0]} to {shown[-1]}.",
            "Say with --slice which one is to be carried through the volume.",
        )
    key = shown[0] if number is None else number
    if key not in shown:
        raise BadFile(
            f"{path} has nothing in slice {key}; annotated: {_listed(shown)} of 0 to {len(slices) - 1}.",
            "Choose an annotated slice, counted from 0.",
        )
    return AnnotatedSlice(cut, key, slices[key].copy())


def on_grid_of(image: Geometry, annotation: Volume, path: Path) -> Placed:
    """Put an annotation that was cropped to what is drawn back into its image.

    Raises:
        BadFile: It was not drawn on the voxels of the image.
    """
    placed = labels_on_grid(annotation, image, name=path.name)
    if not placed.exact:
        raise BadFile(
            f"{path} lies on another grid than the image: the image has {image.describe()}; the annotation "
            f"has {annotation.geometry.describe()}.",
            "Annotate on the image itself, or resample the annotation onto its grid.",
        )
    return placed


def _cut(annotation: Volume, plane: str, *, free: bool) -> Cut:
    cut = Cut.of(annotation.geometry, plane)
    if plane == "auto" and free:
        flat = [a for a in range(3) if _thickness(annotation.array, a) == 1 < annotation.array.shape[a]]
        if flat and cut.axis not in flat:
            return Cut(flat[0])
    return cut


def _thickness(array: npt.NDArray[Any], axis: int) -> int:
    return int(np.count_nonzero(np.moveaxis(array, axis, 0).any(axis=(1, 2))))


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
