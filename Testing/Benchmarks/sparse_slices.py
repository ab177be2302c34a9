"""Dice after learning from a part of the slices of each case, against learning from all of them.

    python Testing/Benchmarks/sparse_slices.py DATA RUNS --results Testing/Benchmarks/results/acdc-slices

The same patients, budget and evaluation as accuracy.py; only the table of annotated slices differs. Rows that
are there are not run again. Whether the unknown slices teach something too:

    --shares 0.01 --steps 600 --consistency 0 1
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from unseen_patients import ACDC_ANNOTATED, ACDC_UNSEEN, append, rows_of, scores, selected

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.jobs import finetune
from ContrastiveSegLib.settings.job_settings import (
    CaseSelection,
    FinetuneSettings,
    GridSettings,
    PredictSettings,
)

PATIENTS = 8


def main() -> None:
    options = _options()
    table = options.results.with_suffix(".csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first_seed, options.seeds):
        for share in options.shares:
            for consistency in options.consistency:
                wanted = share, consistency, seed
                if wanted not in [_key(row) for row in rows_of(table)]:
                    append(table, _one_run(options, share, consistency, seed))
    print(_summary(table))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the images and labels of ACDC")
    parser.add_argument("output", type=Path, help="folder for runs")
    parser.add_argument("--results", type=Path, required=True, help="name of the rows, without suffix")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.25, 1.0], help="of the slices")
    parser.add_argument("--consistency", type=float, nargs="+", default=[0.0], help="weights, as of finetune")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="to share the work between processes")
    parser.add_argument("--steps", type=int, default=1500)
    return parser.parse_args()


def even_slices(count: int, share: float) -> list[int]:
    """This share of `count` slices, at least one, as evenly spread as can be."""
    kept = max(1, round(count * share))
    return [int((n + 0.5) * count / kept) for n in range(kept)]


def _key(row: dict[str, str]) -> tuple[float, float, int]:
    return float(row["share"]), float(row["consistency"]), int(row["seed"])


def _one_run(options: argparse.Namespace, share: float, consistency: float, seed: int) -> dict[str, object]:
    run = options.output / f"slices-{share:g}-consistency{consistency:g}-seed{seed}"
    run.mkdir(parents=True, exist_ok=True)
    chosen = selected(ACDC_ANNOTATED[:PATIENTS])
    slices = write_slices(run / "slices.csv", options.data, chosen, share)
    finetune.run(
        FinetuneSettings(
            run=run,
            labeled=options.data,
            annotated_slices=run / "slices.csv",
            start="none",
            strategy="supervised",
            options={"consistency": consistency},
            steps=options.steps,
            batch=8,
            base_channels=16,
            seed=seed,
            grid=GridSettings(spacing=1.5, patch=(128, 128)),
            cases=chosen,
        )
    )
    predicting = PredictSettings(run=run, images=options.data, uncertainty=False, cases=selected(ACDC_UNSEEN))
    return {
        "share": share,
        "consistency": consistency,
        "seed": seed,
        "slices": slices,
        "steps": options.steps,
        **scores(predicting, options.data, run / "report.csv"),
    }


def write_slices(path: Path, data: Path, chosen: CaseSelection, share: float) -> int:
    """List the annotated slices of each case, counted along its coarsest axis; returns how many there are."""
    rows = [("case", "slice")]
    for case in find_cases(data, only=chosen.only).cases:
        geometry = read_geometry(case.images)
        count = geometry.size[int(np.argmax(geometry.spacing))]
        rows += [(case.name, str(k)) for k in even_slices(count, share)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return len(rows) - 1


def _summary(table: Path) -> str:
    lines = ["| share of the slices | slices | weight of consistency | Dice |", "|---|---|---|---|"]
    for share, consistency in sorted({_key(row)[:2] for row in rows_of(table)}):
        rows = [row for row in rows_of(table) if _key(row)[:2] == (share, consistency)]
        dice = [float(row["dice"]) for row in rows]
        lines.append(
            f"| {share:g} | {rows[0]['slices']} | {consistency:g} | "
            f"{np.mean(dice):.3f} ± {np.std(dice, ddof=1):.3f} ({len(dice)} seeds) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
