"""Slices of a collection, and the table that says which of them are annotated."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.imaging.grid import derive_grid, slicing_axes


@dataclass(frozen=True, order=True)
class SliceOfCase:
    """One slice, named as `suggest` names it: index from 0 on the image's own grid."""

    case: str
    patient: str
    index: int

    def __str__(self) -> str:
        return f"{self.case} {self.index}"


def all_slices(data: Path) -> list[SliceOfCase]:
    """Every slice of every labeled case, cut as pre-training cuts them."""
    cases = [case for case in find_cases(data).cases if case.labels]
    geometries = [read_geometry(case.images) for case in cases]
    plane = derive_grid(geometries).plane
    found = []
    for case, geometry in zip(cases, geometries, strict=True):
        count = geometry.size[abs(slicing_axes(geometry, plane)[2]) - 1]
        found += [SliceOfCase(case.name, case.patient, n) for n in range(count)]
    return found


def write_table(path: Path, slices: Sequence[SliceOfCase]) -> Path:
    """The table that `finetune --annotated-slices` reads: all else in these cases is unknown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("case", "slice"))
        table.writerows((one.case, one.index) for one in slices)
    return path
