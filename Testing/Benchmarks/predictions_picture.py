"""Unseen cases: the truth, and beside it what several runs predicted.

    python Testing/Benchmarks/predictions_picture.py DATA Resources/two-patients.png \\
        --cases patient009_frame13 patient025_frame09 --predictions "from scratch" RUN/predictions-2 ...
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.pictures.overview import Shown, draw_overview
from ContrastiveSegLib.runs.run_folder import RunFolder


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
    return Shown(
        case.name, read_image(case.images).volume, {"truth": read_labels(case.labels).volume, **found}
    )


if __name__ == "__main__":
    main()
