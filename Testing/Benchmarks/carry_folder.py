"""One slice of each volume of a folder carried through it, whatever the organs: phantoms, hippocampi, CT.

    cd Testing/Benchmarks
    python carry_folder.py DATA OUTPUT --only hippocampus_001 hippocampus_004
    python carry_folder.py DATA OUTPUT --only 'example_*_sm' --slice middle --within 6 --smallest 30

The slice is the one that shows most, or the middle one. Each structure it shows is judged in the slices up
to `--within` away; the table has the mean over them for each case, and over all. What was carried stays in
OUTPUT.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.agreement.measures import compare
from ContrastiveSegLib.jobs import propagate
from ContrastiveSegLib.prompting.cut import Cut
from ContrastiveSegLib.runs.job_settings import PropagateSettings
from ContrastiveSegLib.runs.prompting_settings import PromptableSettings
from ContrastiveSegLib.volumes.cases import Case, find_cases
from ContrastiveSegLib.volumes.files import read_labels, write_labels
from ContrastiveSegLib.volumes.volume import Volume


def main() -> None:
    options = _options()
    everything: list[float] = []
    print("| case | slice | structures | mean Dice |\n|---|---|---|---|")
    for case in find_cases(options.data, only=tuple(options.only)).cases:
        if case.labels:
            key, dice = _carried(case, case.labels, options)
            everything += dice
            print(f"| {case.name} | {key} | {len(dice)} | {np.mean(dice):.3f} |", flush=True)
    print(f"| all | | {len(everything)} | {np.mean(everything):.4f} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("output", type=Path, help="folder for annotated slices and results")
    parser.add_argument("--only", nargs="+", default=[], help="names of cases; * stands for anything")
    parser.add_argument("--slice", choices=["fullest", "middle"], default="fullest")
    parser.add_argument("--within", type=int, default=10_000, help="slices to each side that are judged")
    parser.add_argument("--smallest", type=int, default=1, help="fewest pixels in the slice")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--checkpoint", type=Path)
    return parser.parse_args()


def _carried(case: Case, labels: Path, options: argparse.Namespace) -> tuple[int, list[float]]:
    """The annotated slice, and the Dice of each structure around it."""
    read = read_labels(labels)
    true, geometry = read.volume.array, read.volume.geometry
    cut = Cut.of(geometry)
    stack = cut.stack(true)
    key = _fullest(stack) if options.slice == "fullest" else len(stack) // 2
    target = options.output / f"{case.name}-{options.model}.seg.nrrd"
    if not target.exists():
        one = np.zeros_like(stack)
        one[key] = stack[key]
        annotation = options.output / "annotated" / f"{case.name}.seg.nrrd"
        write_labels(annotation, Volume(cut.unstack(one), geometry), read.table, overwrite=True)
        model = PromptableSettings(model=options.model, checkpoint=options.checkpoint)
        settings = PropagateSettings(
            image=case.images[0], annotation=annotation, output=target, promptable=model
        )
        propagate.run(settings)
    found = cut.stack(read_labels(target, read.table).volume.array)
    near = slice(max(0, key - options.within), key + options.within + 1)
    values, pixels = np.unique(stack[key][stack[key] > 0], return_counts=True)
    judged = compare(
        found[near],
        stack[near],
        spacing_khw=geometry.spacing_khw,
        values=values[pixels >= options.smallest].tolist(),
    )
    return key, [each.dice for each in judged if each.dice is not None]


def _fullest(stack: npt.NDArray[np.integer]) -> int:
    """The slice with most structures, and of those the one that shows most of them."""
    return max(range(len(stack)), key=lambda k: (len(np.unique(stack[k])), np.count_nonzero(stack[k])))


if __name__ == "__main__":
    main()
