"""One annotated slice per volume: learning from it alone, from what was carried through, and from all slices.

    cd Testing/Benchmarks
    python one_slice.py DATA RUNS --results results/acdc-one-slice

The same eight patients, budget and evaluation as sparse_slices.py. The middle slice of the left ventricle
counts as annotated; `propagate` carries it through the volume, and fine-tuning takes the result as further
annotations that count less (`--extra-labeled`). Rows that are there are not run again.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from one_slice_carried import carry
from sparse_slices import PATIENTS
from unseen_patients import ACDC_ANNOTATED, ACDC_UNSEEN, append, rows_of, scores, selected

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.jobs import finetune
from ContrastiveSegLib.settings.job_settings import (
    CaseSelection,
    FinetuneSettings,
    GridSettings,
    PredictSettings,
)
from ContrastiveSegLib.settings.prompting_settings import PromptableSettings

LEFT = 3
WAYS = ("one slice", "one slice and what was carried", "all slices")


def main() -> None:
    options = _options()
    chosen = selected(ACDC_ANNOTATED[:PATIENTS])
    table, carried = _carry(options, chosen)
    rows = options.results.with_suffix(".csv")
    rows.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first_seed, options.seeds):
        for way in WAYS:
            if not any((row["way"], int(row["seed"])) == (way, seed) for row in rows_of(rows)):
                append(rows, _one_run(options, chosen, way, seed, table, carried))
    text = _summary(rows)
    print(text)
    options.results.with_suffix(".md").write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the images and labels of ACDC")
    parser.add_argument("output", type=Path, help="folder for runs")
    parser.add_argument("--results", type=Path, required=True, help="name of the rows, without suffix")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="to share the work between processes")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--checkpoint", type=Path)
    return parser.parse_args()


def _carry(options: argparse.Namespace, chosen: CaseSelection) -> tuple[Path, Path]:
    """The table of annotated slices, and a folder with images and carried labels."""
    carried, rows = options.output / "carried", [("case", "slice")]
    (carried / "images").mkdir(parents=True, exist_ok=True)
    for case in find_cases(options.data, only=chosen.only).cases:
        labels = read_labels(case.labels or Path())
        shown = np.flatnonzero((labels.volume.array == LEFT).any(axis=(1, 2)))
        key = int(shown[len(shown) // 2])
        rows.append((case.name, str(key)))
        image, target = carried / "images" / case.images[0].name, carried / "labels" / f"{case.name}.seg.nrrd"
        if not image.exists():
            image.symlink_to(case.images[0].resolve())
        annotation = options.output / "annotated" / f"{case.name}.seg.nrrd"
        model = PromptableSettings(model=options.model, checkpoint=options.checkpoint)
        carry(case, labels.volume, labels.table, key, annotation, target, promptable=model)
    table = options.output / "slices.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return table, carried


def _one_run(
    options: argparse.Namespace, chosen: CaseSelection, way: str, seed: int, table: Path, carried: Path
) -> dict[str, object]:
    run = options.output / f"{way.replace(' ', '-')}-seed{seed}"
    finetune.run(
        FinetuneSettings(
            run=run,
            labeled=options.data,
            annotated_slices=None if way == "all slices" else table,
            extra_labeled=carried if way == "one slice and what was carried" else None,
            start="none",
            strategy="supervised",
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
        "way": way,
        "seed": seed,
        "steps": options.steps,
        **scores(predicting, options.data, run / "report.csv"),
    }


def _summary(path: Path) -> str:
    lines = ["| learned from | seeds | Dice: mean ± sd over seeds | HD95 mm |", "|---|---|---|---|"]
    for way in WAYS:
        rows = [row for row in rows_of(path) if row["way"] == way]
        if rows:
            dice = [float(row["dice"]) for row in rows]
            spread = f" ± {np.std(dice, ddof=1):.3f}" if len(dice) > 1 else ""
            far = np.mean([float(row["hd95_mm"]) for row in rows])
            lines.append(f"| {way} | {len(dice)} | {np.mean(dice):.3f}{spread} | {far:.1f} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
