"""What a few annotated slices are, and what is learned from them: one annotated case, one unseen one.

    python Testing/Benchmarks/slices_picture.py DATA RUN Resources/slices.png \
        --annotated patient001_frame01 --unseen patient002_frame01

RUN is one of the runs of `sparse_slices.py`, with the table of slices that it learned from.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ContrastiveSegLib.pictures.overview import draw_slice, save
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.volumes.cases import Case, find_cases
from ContrastiveSegLib.volumes.files import read_image, read_labels
from ContrastiveSegLib.volumes.slice_table import read_annotated_slices

SIDE_MM = 175.0  # of what is shown, around the middle


def main() -> None:
    options = _options()
    cases = {case.name: case for case in find_cases(options.data).cases}
    annotated, unseen = cases[options.annotated], cases[options.unseen]
    known = read_annotated_slices(options.run / "slices.csv")[annotated.name]
    rows = [
        (annotated, annotated.labels, known, "annotated"),
        (unseen, RunFolder(options.run).prediction(unseen.name), None, "unseen: predicted"),
        (unseen, unseen.labels, None, "unseen: truth"),
    ]
    columns = max(read_image(case.images).volume.geometry.shape[0] for case, *_ in rows)
    figure = Figure(figsize=(1.5 * columns, 1.6 * len(rows)), facecolor="black", layout="constrained")
    for panels, row in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
        _draw_row(panels, *row)
    save(options.picture, figure)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("run", type=Path, help="a run of sparse_slices.py")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--annotated", required=True, help="a case that was learned from")
    parser.add_argument("--unseen", required=True, help="a case that was predicted")
    return parser.parse_args()


def _draw_row(
    panels: Any, case: Case, labels: Path | None, known: tuple[int, ...] | None, title: str
) -> None:
    """Every slice of a case, with outlines in those that are known; None: in all."""
    assert labels is not None
    image, drawn = read_image(case.images).volume, read_labels(labels)
    for k, panel in enumerate(panels):
        panel.axis("off")
        if k >= image.geometry.shape[0]:
            continue
        shown = drawn.volume.array[k] * (known is None or k in known)
        draw_slice(panel, image, shown, k, drawn.table)
        width, height = (SIDE_MM / spacing / 2 for spacing in image.geometry.spacing[:2])
        middle = np.array(image.geometry.size[:2]) / 2
        panel.set_xlim(middle[0] - width, middle[0] + width)
        panel.set_ylim(middle[1] + height, middle[1] - height)
        if known is not None and k in known:
            panel.set_title("annotated", color="yellow", fontsize=8)
    panels[0].text(0, 1.02, title, color="white", fontsize=9, transform=panels[0].transAxes)


if __name__ == "__main__":
    main()
