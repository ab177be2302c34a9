"""Write a sparsely annotated copy of a labeled folder: a few slices per case, or scribbles.

    python Testing/Benchmarks/simulate.py slices ../shared/data/acdc few-slices --count 3
    python Testing/Benchmarks/simulate.py scribbles ../shared/data/acdc scribbled --only 'patient00*'

The images are copied. Slices: labels/ holds the labels with all other slices empty, and annotated.csv says
which slices count (for --annotated-slices); --slices takes such a table, made from what `suggest` proposes
for instance, and then only the cases in it are written. Scribbles: scribbles/ holds strokes in the code of
ACDC, the largest value means not painted. Slices are counted along the axis of the coarsest spacing; where
voxels are nearly cubes they are axial.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import zlib
from pathlib import Path

import numpy as np
from simulated_scribbles import simulated_scribbles
from simulated_slices import evenly, keep_slices

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.dataset.slice_table import read_annotated_slices
from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.imaging.grid import slicing_axes
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume


def main() -> None:
    options = _options()
    given = read_annotated_slices(options.slices) if options.slices else None
    listing = find_cases(options.data, only=options.only)
    cases = [case for case in listing.cases if case.labels and (given is None or case.name in given)]
    if unknown := sorted(set(given or ()) - {case.name for case in cases}):
        raise SystemExit(
            f"{options.slices} names cases without labels in {options.data}: {', '.join(unknown)}."
        )
    if not cases:
        raise SystemExit(f"No case in {options.data} has labels: nothing to make sparse.")
    rows = [row for case in cases for row in _simulate(case, options, given)]
    if options.kind == "slices":
        with (options.output / "annotated.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("case", "slice"), *rows])
    print(f"{len(cases)} cases in {options.output}" + (f", {len(rows)} slices." if rows else "."))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=["slices", "scribbles"])
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("output", type=Path, help="new folder")
    parser.add_argument("--count", type=int, default=3, help="annotated slices per case, evenly")
    parser.add_argument("--slices", type=Path, help="table (case,slice) of slices, instead of --count")
    parser.add_argument("--only", nargs="+", default=[], help="names of cases or patients")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _simulate(
    case: Case, options: argparse.Namespace, given: dict[str, tuple[int, ...]] | None
) -> list[tuple[str, int]]:
    """Write image and sparse annotation of one case; returns its annotated slices."""
    assert case.labels is not None
    for image in case.images:
        target = options.output / "images" / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if image.is_dir() else shutil.copy2)(image, target)
    read = read_labels(case.labels)
    axis = 3 - abs(slicing_axes(read.volume.geometry, "axial")[2])
    labels = np.moveaxis(read.volume.array, axis, 0)
    if options.kind == "scribbles":
        random = np.random.default_rng((options.seed, zlib.crc32(case.name.encode())))
        sparse, chosen = simulated_scribbles(labels, random), ()
        table = LabelTable.default_for([*read.table.values, int(sparse.max())])
    else:
        chosen = given[case.name] if given is not None else evenly(labels, options.count)
        sparse, table = keep_slices(labels, chosen), read.table
    folder = options.output / ("scribbles" if options.kind == "scribbles" else "labels")
    array = np.ascontiguousarray(np.moveaxis(sparse, 0, axis))
    write_labels(folder / f"{case.name}.nii.gz", Volume(array, read.volume.geometry), table)
    return [(case.name, k) for k in chosen]


if __name__ == "__main__":
    try:
        main()
    except ContrastiveSegError as error:
        raise SystemExit(str(error)) from error
