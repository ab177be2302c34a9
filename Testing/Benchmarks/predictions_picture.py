"""Unseen cases: the truth, and beside it what several runs predicted, near the structures.

    python Testing/Benchmarks/predictions_picture.py DATA Resources/two-patients.png \\
        --cases patient009_frame13 patient025_frame09 --predictions "from scratch" RUN/predictions-2 ...
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.pictures.overview import Shown, draw_overview
from ContrastiveSegLib.runs.run_folder import RunFolder

MARGIN = 25.0  # mm


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--cases", nargs="+", required=True)
    parser.add_argument("--predictions", nargs="+", required=True, help="a title and a folder, in turn")
    options = parser.parse_args()
    words = options.predictions
    folders = {words[n]: Path(words[n + 1]) for n in range(0, len(words), 2)}
    named = {case.name: case for case in find_cases(options.data).cases}
    shown = [_shown(named[name], folders) for name in options.cases]
    first = folders[words[0]]
    table = read_labels(RunFolder(first.parent).prediction(options.cases[0], folder=first)).table
    draw_overview(options.picture, shown, table)


def _shown(case: Case, folders: dict[str, Path]) -> Shown:
    assert case.labels is not None
    found = {
        title: read_labels(RunFolder(folder.parent).prediction(case.name, folder=folder)).volume
        for title, folder in folders.items()
    }
    truth = read_labels(case.labels).volume
    window = _around(truth)
    cut = {title: _cut(volume, window) for title, volume in {"truth": truth, **found}.items()}
    return Shown(case.name, _cut(read_image(case.images).volume, window), cut)


def _around(labels: Volume) -> tuple[slice, slice]:
    """Rows and columns of all structures, and MARGIN around them."""
    axes = []
    for axis, spacing in ((1, labels.geometry.spacing[1]), (2, labels.geometry.spacing[0])):
        seen = np.flatnonzero((labels.array > 0).any(axis=tuple({0, 1, 2} - {axis})))
        more = round(MARGIN / spacing)
        axes.append(slice(max(0, int(seen[0]) - more), int(seen[-1]) + more + 1))
    return axes[0], axes[1]


def _cut(volume: Volume, window: tuple[slice, slice]) -> Volume:
    array = volume.array[(..., *window)]
    size = (array.shape[-1], array.shape[-2], array.shape[-3])
    return Volume(array, replace(volume.geometry, size=size))


if __name__ == "__main__":
    main()
