"""What scribbles are, and what is learned from them: scribbles, two ways of learning, and truth, outlined.

    python Testing/Benchmarks/scribbles_picture.py DATA RUNS Resources/scribbles.png \
        --cases patient002_frame01 patient011_frame01

RUNS is the folder of `scribbles.py`. The cases are unseen by the network; their scribbles show what it
learned from on others.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.file_io.label_meanings import ReadLabels
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.pictures.overview import draw_slice, save
from ContrastiveSegLib.runs.run_folder import RunFolder

WAYS = {"partial cross-entropy": "partial-ce-seed0", "PCLMix": "pclmix-seed0"}
TITLES = ("scribbles", *WAYS, "truth")
BACKGROUND = (1.0, 1.0, 1.0)


def main() -> None:
    options = _options()
    cases = {case.name: case for case in find_cases(options.data).cases}
    size = (3.2 * len(TITLES), 3.4 * len(options.cases))
    figure = Figure(figsize=size, facecolor="black", layout="constrained")
    panels = figure.subplots(len(options.cases), len(TITLES), squeeze=False)
    for row, name in zip(panels, options.cases, strict=True):
        _draw_case(row, cases[name], options.runs, options.slice)
    for panel, title in zip(panels[0], TITLES, strict=True):
        panel.set_title(title, color="white", fontsize=11)
    save(options.picture, figure)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/, labels/ and scribbles/")
    parser.add_argument("runs", type=Path, help="folder of the runs of scribbles.py")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--cases", nargs="+", required=True)
    parser.add_argument("--slice", type=float, default=0.4, help="which of those with structures, 0...1")
    return parser.parse_args()


def _draw_case(row: Any, case: Case, runs: Path, share: float) -> None:
    if case.labels is None or case.scribbles is None:
        raise SystemExit(f"{case.name} has no labels or no scribbles.")
    image, truth = read_image(case.images).volume, read_labels(case.labels)
    shown = np.flatnonzero(truth.volume.array.any(axis=(1, 2)))
    k = int(shown[round(share * (len(shown) - 1))])
    found = [read_labels(RunFolder(runs / run).prediction(case.name)).volume for run in WAYS.values()]
    _draw_scribbles(row[0], image, read_labels(case.scribbles, truth.table, scribbles=True), k)
    for panel, labels in zip(row[1:], [*found, truth.volume], strict=True):
        draw_slice(panel, image, labels.array[k], k, truth.table)
    row[0].set_ylabel(f"{case.name}\nslice {k + 1}", color="white", fontsize=8)


def _draw_scribbles(panel: Any, image: Volume, scribbles: ReadLabels, k: int) -> None:
    """Painted pixels in the colors of their structures, painted background in white."""
    drawn = scribbles.volume.array[k]
    draw_slice(panel, image, np.zeros_like(drawn), k, scribbles.table)
    paint = np.zeros((*drawn.shape, 4))
    if scribbles.background is not None:
        paint[scribbles.background[k]] = (*BACKGROUND, 1)
    for structure in scribbles.table.structures:
        paint[drawn == structure.value] = (*structure.color, 1)
    panel.imshow(paint, aspect=panel.get_aspect(), interpolation="nearest")


if __name__ == "__main__":
    main()
