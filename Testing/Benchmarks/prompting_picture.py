"""Before and after, from the labels that prompting.py left: refine.png and propagate.png, to look at.

cd Testing/Benchmarks
python prompting_picture.py DATA OUTPUT PICTURES
"""

from __future__ import annotations

import argparse
from pathlib import Path

from prompting import TABLE

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.pictures.overview import Shown, draw_overview

# Neither the best nor the worst of the twenty.
CASES = ("patient009_frame01", "patient027_frame01")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path, help="where prompting.py wrote its labels")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--model", default="auto")
    options = parser.parse_args()
    ways = {
        "refine": {"truth": "truth", "coarsened": "coarse", "refined": f"refined-{options.model}"},
        "propagate": {"truth": "truth", "carried from one slice": f"propagated-{options.model}"},
    }
    cases = find_cases(options.data, only=tuple(options.cases)).cases
    for name, folders in ways.items():
        shown = [
            Shown(
                case.name,
                read_image(case.images).volume,
                {
                    title: read_labels(options.output / folder / f"{case.name}.seg.nrrd", TABLE).volume
                    for title, folder in folders.items()
                },
            )
            for case in cases
        ]
        draw_overview(options.pictures / f"{name}.png", shown, TABLE)


if __name__ == "__main__":
    main()
