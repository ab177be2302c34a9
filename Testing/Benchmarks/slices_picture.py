"""What a few annotated slices are, and what is learned from them: one annotated case, one unseen one.

    python Testing/Benchmarks/slices_picture.py RUN Resources/slices.png \
        --annotated labeled phantom_001 --unseen test phantom_005

RUN holds slices.csv, the table that was given as --annotated-slices, and predictions of the unseen case.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.dataset.slice_table import read_annotated_slices
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.pictures.overview import draw_slice, save
from ContrastiveSegLib.runs.run_folder import RunFolder

COLUMNS = 10


def main() -> None:
    options = _options()
    annotated, unseen = (_case(*names) for names in (options.annotated, options.unseen))
    known = read_annotated_slices(options.run / "slices.csv")[annotated.name]
    rows = [
        (annotated, annotated.labels, known, "annotated"),
        (unseen, RunFolder(options.run).prediction(unseen.name), (), "unseen: predicted"),
        (unseen, unseen.labels, (), "unseen: truth"),
    ]
    figure = Figure(figsize=(1.5 * COLUMNS, 1.6 * len(rows)), facecolor="black", layout="constrained")
    for panels, row in zip(figure.subplots(len(rows), COLUMNS, squeeze=False), rows, strict=True):
        _draw_row(panels, *row)
    save(options.picture, figure)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--annotated", nargs=2, required=True, help="folder and case that was learned from")
    parser.add_argument("--unseen", nargs=2, required=True, help="folder and case that was predicted")
    return parser.parse_args()


def _case(folder: str, name: str) -> Case:
    return next(case for case in find_cases(Path(folder)).cases if case.name == name)


def _draw_row(panels: Any, case: Case, labels: Path | None, known: tuple[int, ...], title: str) -> None:
    """Slices of a case, evenly or through the annotated ones; outlines in these alone if there are some."""
    assert labels is not None
    image, drawn = read_image(case.images).volume, read_labels(labels)
    for panel, k in zip(panels, _shown(image.geometry.shape[0], known), strict=True):
        is_blank = bool(known) and k not in known
        draw_slice(panel, image, drawn.volume.array[k] * (not is_blank), k, drawn.table)
        panel.axis("off")
        if k in known:
            panel.set_title("annotated", color="yellow", fontsize=8)
    panels[0].text(0, 1.02, title, color="white", fontsize=9, transform=panels[0].transAxes)


def _shown(count: int, known: tuple[int, ...]) -> list[int]:
    """Consecutive slices around the second of the known ones; evenly spread ones where none is known."""
    if not known:
        return [int(k) for k in np.linspace(0.1, 0.9, COLUMNS) * (count - 1)]
    first = int(np.clip(known[min(1, len(known) - 1)] - 2, 0, max(0, count - COLUMNS)))
    return list(range(first, first + COLUMNS))


if __name__ == "__main__":
    main()
