"""Cardiac MR from eight annotated patients: pre-trained against scratch, three seeds, twenty other patients.

    python Testing/Benchmarks/acdc.py ../shared/data/acdc runs/acdc

Every step is the command that a user would type; it is printed before it runs. A benchmark that was
interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TRAIN = (73, 18, 1, 15, 95, 6, 13, 16)
# Twenty patients that neither the training nor the choice of the recipe has seen.
TEST = (2, 8, 9, 11, 12, 17, 19, 20, 23, 25, 27, 28, 30, 31, 32, 33, 35, 37, 38, 40)
STRUCTURES = {"structure 1": "right ventricle", "structure 2": "myocardium", "structure 3": "left ventricle"}


def main() -> None:
    options = _options()
    seconds: dict[str, list[float]] = defaultdict(list)
    scores: dict[str, list[dict[str, list[float]]]] = defaultdict(list)
    for seed in range(options.seeds):
        for start in ("scratch", options.method):
            run = options.output / f"{start}-seed{seed}"
            scores[start].append(_one_run(options, run, start, seed, seconds))
            print(_table(scores, seconds), flush=True)
    (options.output / "table.md").write_text(_table(scores, seconds), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("output", type=Path, help="folder for runs and the table")
    parser.add_argument("--method", default="pcl")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pretrainings", type=int, default=3, help="fewer than seeds: they share them")
    parser.add_argument("--pretrain-flags", default="--epochs 20")
    parser.add_argument("--finetune-flags", default="--steps 1500 --batch 8")
    parser.add_argument("--grid-flags", default="--spacing 1.5 --patch 128 128")
    return parser.parse_args()


def _one_run(
    options: argparse.Namespace, run: Path, start: str, seed: int, seconds: dict[str, list[float]]
) -> dict[str, list[float]]:
    """Pre-train, fine-tune, predict, evaluate; returns structure and figure to one value per patient."""
    grid = options.grid_flags.split()
    source: object = "none"
    if start != "scratch":
        number = seed % options.pretrainings
        source = options.output / f"{start}-pretraining{number}"
        flags = ["--method", start, *options.pretrain_flags.split(), *grid, "--seed", str(number)]
        seconds["pretrain"].append(_command("pretrain", source, "--images", options.data, *flags))
    flags = [*options.finetune_flags.split(), *grid, "--seed", str(seed), "--only", *_names(TRAIN)]
    seconds["finetune"].append(_command("finetune", run, "--labeled", options.data, "--from", source, *flags))
    chosen = ["--only", *_names(TEST)]
    seconds["predict 40 volumes"].append(_command("predict", run, "--images", options.data, *chosen))
    report = run / "report.csv"
    found = [
        "--predictions",
        run / "predictions",
        "--labels",
        options.data,
        "--output",
        report,
        "--overwrite",
    ]
    seconds["evaluate"].append(_command("evaluate", *found, *chosen))
    return _per_patient(report)


def _command(*words: object) -> float:
    line = [sys.executable, "-m", "ContrastiveSegLib", *map(str, words)]
    print("python -m ContrastiveSegLib", *line[3:], flush=True)
    begin = time.perf_counter()
    subprocess.run(line, check=True)
    return time.perf_counter() - begin


def _names(patients: Sequence[int]) -> list[str]:
    return [f"patient{number:03d}" for number in patients]


def _per_patient(report: Path) -> dict[str, list[float]]:
    """Structure and figure ("structure 1 dice") to its values per patient, both frames averaged first."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with report.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            for figure in ("dice", "hd95_mm"):
                if row[figure]:
                    values[f"{row['structure']} {figure}"][row["patient"]].append(float(row[figure]))
    return {key: [float(np.mean(v)) for v in patients.values()] for key, patients in values.items()}


def _table(scores: dict[str, list[dict[str, list[float]]]], seconds: dict[str, list[float]]) -> str:
    """Mean over patients and seeds ± standard deviation over seeds (of the mean over patients)."""
    lines = [
        "| start | seeds | "
        + " | ".join(f"{s} Dice; HD95 mm" for s in STRUCTURES.values())
        + " | mean Dice |"
    ]
    lines.append("|---" * (len(STRUCTURES) + 3) + "|")
    for start, seeds in scores.items():
        cells = []
        for structure in STRUCTURES:
            dice = [np.mean(seed[f"{structure} dice"]) for seed in seeds]
            distance = [np.mean(seed[f"{structure} hd95_mm"]) for seed in seeds]
            cells.append(f"{_spread(dice, 3)}; {_spread(distance, 1)}")
        overall = [np.mean([np.mean(seed[f"{s} dice"]) for s in STRUCTURES]) for seed in seeds]
        lines.append(f"| {start} | {len(seeds)} | " + " | ".join(cells) + f" | {_spread(overall, 3)} |")
    times = ", ".join(f"{step} {np.mean(s):.0f} s" for step, s in seconds.items())
    return "\n".join([*lines, "", f"Time per step, start of the program included: {times}.", ""])


def _spread(values: Sequence[float], digits: int) -> str:
    sd = np.std(values, ddof=1) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.{digits}f} ± {sd:.{digits}f}"


if __name__ == "__main__":
    main()
