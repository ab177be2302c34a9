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
from one_slice_carried import carry

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.evaluation.metrics import compare
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.propagation.gray_slices import Cut
from ContrastiveSegLib.settings.prompting_settings import PromptableSettings


def main() -> None:
    options = _options()
    everything: list[float] = []
    print("| case | slice | structures | mean Dice |\n|---|---|---|---|")
    for case in find_cases(options.data, only=tuple(options.only)).cases:
        if case.labels:
            key, dice = _carried(case, case.labels, options)
            everything += dice
            mean = f"{np.mean(dice):.3f}" if dice else "none"
            print(f"| {case.name} | {key} | {len(dice)} | {mean} |", flush=True)
    if not everything:
        raise SystemExit(f"No case in {options.data} has labels whose slice shows a structure that counts.")
    print(f"| all | | {len(everything)} | {np.mean(everything):.3f} |")


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
    cut = Cut.of(read.volume.geometry)
    stack = cut.stack(read.volume.array)
    key = _fullest(stack) if options.slice == "fullest" else len(stack) // 2
    annotation = options.output / "annotated" / f"{case.name}.seg.nrrd"
    target = options.output / f"{case.name}-{options.model}.seg.nrrd"
    model = PromptableSettings(model=options.model, checkpoint=options.checkpoint)
    carry(case, read.volume, read.table, key, annotation, target, promptable=model)
    found = cut.stack(read_labels(target, read.table).volume.array)
    near = slice(max(0, key - options.within), key + options.within + 1)
    values, pixels = np.unique(stack[key][stack[key] > 0], return_counts=True)
    judged = compare(
        found[near],
        stack[near],
        spacing_khw=read.volume.geometry.spacing_khw,
        values=values[pixels >= options.smallest].tolist(),
    )
    return key, [each.dice for each in judged if each.dice is not None]


def _fullest(stack: npt.NDArray[np.integer]) -> int:
    """The slice with most structures, and of those the one that shows most of them."""
    return max(range(len(stack)), key=lambda k: (len(np.unique(stack[k])), np.count_nonzero(stack[k])))


if __name__ == "__main__":
    main()
