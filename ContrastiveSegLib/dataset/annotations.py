"""Which voxels are annotated: whole cases, whole slices, or scribbles.

What was drawn says where structures are. What the untouched voxels mean depends on the kind of annotation:

- whole cases: they are background;
- whole slices: in a slice where anything is drawn they are background, elsewhere nobody knows. A slice
  that is empty on purpose is marked by painting a segment called "background" in it, or listed in a table.
  Where structures and painted background fill the volume, it is a whole case;
- scribbles: nobody knows; background is known where a segment called "background" was painted.

Voxels that a segment called "ignore" covers are unknown in each of them. Of nnU-Net's label of that name what
it leaves is known, too: there is no voxel without a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.dataset.outline import outside
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.file_io.label_meanings import ReadLabels
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.grid import slice_axis
from ContrastiveSegLib.imaging.label_values import class_indices
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume

# Where background was painted over this share of the slices in which it was painted, these are whole slices.
SHARE_OF_WHOLE_SLICES = 0.95

# Of a case of which more is known than that, while the rest is to be ignored, nobody would say scribbles.
MOST_OF_SCRIBBLES = 0.5

# In the marks of a case: a voxel that is said to be unknown.
IGNORED = -1


@dataclass(frozen=True)
class Annotation:
    """How much of a case is annotated.

    Args:
        kind: "cases", "slices" or "scribbles".
        slices: Slices with known voxels.
        of: Slices of the image.
        share: Of the voxels that are known, 0...1.
        classes: The classes that were seen, 0 for background.
    """

    kind: str
    slices: int
    of: int
    share: float
    classes: tuple[int, ...]

    def describe(self) -> str:
        """In words: "whole case", "3 of 60 slices", "scribbles in 10 slices (1.4 % of the voxels)"."""
        if self.kind == "cases":
            return "whole case" if self.share == 1 else f"{self.share:.1%} of the voxels, the rest is ignored"
        if self.kind == "slices":
            return f"{self.slices} of {self.of} slices"
        return f"scribbles in {self.slices} of {self.of} slices ({self.share:.1%} of the voxels)"


@dataclass(frozen=True)
class AnnotationMask:
    """What was drawn on a case, on the grid of its image.

    Args:
        volume: (K, H, W): 0 untouched, 1 painted background, 1 + class index where a structure was drawn,
            IGNORED where nothing is known on purpose.
        axis: The axis of that array along which slices are counted.
        are_scribbles: Whether the file lay among scribbles.
        notes: What was remarkable about the file.
        nothing_drawn: Whether the file was saved before anything was drawn.
        rest_is_known: Whether all that is not IGNORED is known.
    """

    volume: Volume
    axis: int
    are_scribbles: bool
    notes: tuple[str, ...]
    nothing_drawn: bool = False
    rest_is_known: bool = False

    @property
    def slices(self) -> npt.NDArray[Any]:
        """(N, ...) the marks of each slice."""
        return np.moveaxis(self.volume.array, self.axis, 0)

    @property
    def kind(self) -> str:
        """What kind of annotation this looks like."""
        slices = self.slices.reshape(self.slices.shape[0], -1)
        ignored = slices == IGNORED
        if ignored.any():
            if self.rest_is_known or slices.all():
                return _kind_of_known(~ignored)
            slices = np.where(ignored, 0, slices)
            if not slices.any():
                return "slices"  # none is drawn yet: it does not say that all the rest is background
        with_background = slices[(slices == 1).any(1)]
        if with_background.size:
            if slices.all():
                return "cases"
            whole = (with_background > 0).mean() >= SHARE_OF_WHOLE_SLICES
            return "slices" if whole else "scribbles"
        if self.are_scribbles or self.nothing_drawn:
            return "scribbles"
        touched = _touched(slices)
        return "slices" if not touched.all() and _stand_alone(touched) else "cases"


def annotation_file(case: Case, kind: str) -> Path | None:
    """The file that holds the annotation of a case: its labels, unless only scribbles are asked or there."""
    if kind == "scribbles":
        return case.scribbles or case.labels
    return case.labels or (case.scribbles if kind == "auto" else None)


def read_annotation(path: Path, case: Case, table: LabelTable | None = None) -> ReadLabels:
    """Read the annotation of a case; among scribbles the commonest number means: not painted."""
    scribbles = path == case.scribbles
    return read_labels(path, table, scribbles=scribbles, ignored=case.ignored, image=case.images)


def read_annotation_mask(
    path: Path, case: Case, table: LabelTable, image: Geometry, *, plane: str
) -> AnnotationMask:
    """Read what was drawn on a case, on the grid of its image.

    Args:
        plane: Of the slices, as in WorkingGrid.

    Raises:
        BadFile: The file cannot be used, or lies outside the image.
    """
    read = read_annotation(path, case, table)
    classes = class_indices(read.volume.array, table)
    marks = np.where(classes > 0, classes + 1, 0).astype(np.int16)
    if read.background is not None:
        marks[read.background] = 1
    if read.unknown is not None:
        left = np.maximum(marks, 1) if read.rest_is_known else marks
        marks = np.where(read.unknown, IGNORED, left).astype(np.int16)
    placed = labels_on_grid(Volume(marks, read.volume.geometry), image, name=case.name)
    axis = 2 - slice_axis(image, plane)
    notes = (*read.notes, *placed.notes)
    return AnnotationMask(
        placed.volume, axis, path == case.scribbles, notes, read.nothing_drawn, read.rest_is_known
    )


def annotated_voxels(
    marks: AnnotationMask,
    kind: str,
    only: Sequence[int] | None = None,
    *,
    outside_is_background: bool = False,
) -> tuple[Volume, Annotation]:
    """Say of each voxel what is known: 0 nothing, 1 background, 1 + class index.

    Args:
        kind: "cases", "slices" or "scribbles"; "auto": what it looks like.
        only: The slices that are annotated, whatever is drawn elsewhere.
        outside_is_background: Whether, in scribbles, background is known outside of a closed line of it.

    Raises:
        BadFile: Nothing is annotated, or a slice is listed that the image does not have.
    """
    kind = marks.kind if kind == "auto" else kind
    kind = "slices" if only is not None and kind == "cases" else kind
    ignored = marks.volume.array == IGNORED
    array = np.where(ignored, 0, marks.volume.array)
    slices = np.moveaxis(array, marks.axis, 0)  # a view: what is written here is written to the array
    if only is not None:
        slices[~_listed(only, len(slices))] = 0
    if outside_is_background and kind == "scribbles":
        slices[outside(slices)] = 1
    whole = _whole_slices(slices, kind, only)
    slices[whole] = np.maximum(slices[whole], 1)
    array[ignored] = 0
    known = slices.reshape(len(slices), -1) > 0
    if not known.any():
        raise BadFile(
            "Nothing is drawn in it.", "Annotate it, leave it out, or say --annotation cases if it is empty."
        )
    seen = tuple(int(value) - 1 for value in np.unique(array) if value > 0)
    annotation = Annotation(kind, int(known.any(1).sum()), len(slices), float(known.mean()), seen)
    return Volume(array, marks.volume.geometry), annotation


def _whole_slices(slices: npt.NDArray[Any], kind: str, only: Sequence[int] | None) -> npt.NDArray[np.bool_]:
    """(N,) the slices of which every voxel is known."""
    if kind == "cases":
        return np.ones(len(slices), bool)
    if kind == "scribbles":
        return np.zeros(len(slices), bool)
    return _touched(slices) if only is None else _listed(only, len(slices))


def _touched(slices: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """(N,) the slices in which anything is drawn."""
    return np.array([bool(drawn.any()) for drawn in slices])


def _kind_of_known(known: npt.NDArray[np.bool_]) -> str:
    """What an annotation (N, voxels) looks like that says itself which voxels are known."""
    whole, share = known.all(1), float(known.mean())
    if bool((whole | ~known.any(1)).all()):
        return "slices"
    return "cases" if share > MOST_OF_SCRIBBLES else "scribbles"


def _listed(numbers: Sequence[int], count: int) -> npt.NDArray[np.bool_]:
    wrong = [n for n in numbers if not 0 <= n < count]
    if wrong:
        raise BadFile(
            f"Slice {wrong[0]} is listed as annotated, but the image has the slices 0 to {count - 1}.",
            "Correct the table of annotated slices.",
        )
    listed = np.zeros(count, bool)
    listed[list(numbers)] = True
    return listed


def _stand_alone(touched: npt.NDArray[np.bool_]) -> bool:
    """Whether most runs of neighboring slices with drawings are one slice long, as no organ is."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], touched, [False]]).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return bool(runs.size) and float(np.median(runs)) == 1
