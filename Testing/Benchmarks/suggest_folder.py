"""A labeled folder in which only chosen slices are annotated: the rest of each label volume is empty."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ContrastiveSegLib.volumes.cases import Case, find_cases
from ContrastiveSegLib.volumes.files import read_geometry
from ContrastiveSegLib.volumes.grid import derive_grid, slicing_axes


@dataclass(frozen=True, order=True)
class SliceOfCase:
    """One slice, named as `suggest` names it: index from 0 along an axis of the image's own grid."""

    case: str
    patient: str
    axis: str
    index: int

    def __str__(self) -> str:
        return f"{self.case} {self.axis} {self.index}"


def all_slices(data: Path) -> list[SliceOfCase]:
    """Every slice of every labeled case, cut as pre-training cuts them."""
    cases = _labeled(data)
    geometries = [read_geometry(case.images) for case in cases]
    plane = derive_grid(geometries).plane
    found = []
    for case, geometry in zip(cases, geometries, strict=True):
        axis = abs(slicing_axes(geometry, plane)[2]) - 1
        found += [SliceOfCase(case.name, case.patient, "ijk"[axis], n) for n in range(geometry.size[axis])]
    return found


def sparse_folder(data: Path, folder: Path, chosen: Sequence[SliceOfCase]) -> Path:
    """Copy the images of the chosen slices, and their labels with every other slice emptied."""
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    slices = defaultdict(list)
    for one in chosen:
        slices[one.case].append(one)
    for case in _labeled(data):
        if case.name in slices and case.labels:
            shutil.copy2(case.images[0], folder / "images" / case.images[0].name)
            _keep(case.labels, folder / "labels" / case.labels.name, slices[case.name])
    return folder


def _keep(source: Path, target: Path, slices: Sequence[SliceOfCase]) -> None:
    labels = sitk.ReadImage(source)
    array = sitk.GetArrayFromImage(labels)
    kept = np.zeros_like(array)
    for one in slices:
        place = [slice(None)] * 3
        place["kji".index(one.axis)] = slice(one.index, one.index + 1)
        kept[tuple(place)] = array[tuple(place)]
    sparse = sitk.GetImageFromArray(kept)
    sparse.CopyInformation(labels)
    sitk.WriteImage(sparse, target)


def _labeled(data: Path) -> list[Case]:
    return [case for case in find_cases(data).cases if case.labels]
