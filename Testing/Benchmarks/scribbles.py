"""From scribbles: partial cross-entropy, DMPLS and PCLMix, beside learning from the dense labels.

    python Testing/Benchmarks/scribbles.py DATA RUNS --results Testing/Benchmarks/results/acdc-scribbles

DATA holds images/, labels/ and scribbles/. Every way of learning gets the same network, annotated patients,
steps and batch; what is evaluated are whole volumes of other patients on their own grid. Runs that are in the
table are not run again, and an interrupted one goes on where it was, so seeds and ways can be added later:

    --ways 'pclmix {"mix": "off"}' 'pclmix {"contrast": false}' --seeds 1

`--unseen` takes other patients, to choose settings on without touching those that are reported.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import PROFILES, Profile, _file_name
from accuracy_summary import _difference
from unseen_patients import ACDC_ANNOTATED, ACDC_UNSEEN, append, rows_of, scores, selected

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.jobs import finetune
from ContrastiveSegLib.postprocessing.connected_components import keep_largest
from ContrastiveSegLib.settings.job_settings import (
    FinetuneSettings,
    GridSettings,
    PredictSettings,
)

PROFILE = replace(PROFILES["cpu"], finetune_steps=1500)
ANNOTATED = ACDC_ANNOTATED[:8]
BASE, DENSE = "partial_ce", "supervised"
NAMES = {DENSE: "supervised (dense labels)"}


def main() -> None:
    options = _options()
    patch = (options.patch, options.patch)
    profile = replace(PROFILE, finetune_steps=options.steps, spacing=options.spacing, patch=patch)
    options.output.mkdir(parents=True, exist_ok=True)
    results = options.results or options.output / "scribbles"
    table = results.with_suffix(".csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first_seed, options.seeds):
        for way in options.ways:
            if not any((row["way"], int(row["seed"])) == (way, seed) for row in rows_of(table)):
                append(table, _one_run(options, profile, way, seed))
                write_summary(table)
    write_summary(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/, labels/ and scribbles/")
    parser.add_argument("output", type=Path, help="folder for runs")
    parser.add_argument("--results", type=Path, help="name of table and rows, without suffix")
    parser.add_argument(
        "--ways",
        nargs="+",
        default=[BASE, "pclmix", DENSE, "dmpls"],
        help="strategies; options as JSON behind",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=PROFILE.finetune_steps)
    parser.add_argument("--spacing", type=float, default=PROFILE.spacing, help="mm in plane")
    parser.add_argument("--patch", type=int, default=PROFILE.patch[0], help="side of the patch in pixels")
    parser.add_argument("--outside-is-background", action="store_true", help="as the flag of finetune")
    parser.add_argument("--annotated", nargs="+", type=int, default=ANNOTATED, help="numbers of patients")
    parser.add_argument("--unseen", nargs="+", type=int, default=ACDC_UNSEEN, help="numbers of patients")
    return parser.parse_args()


def _one_run(options: argparse.Namespace, profile: Profile, way: str, seed: int) -> dict[str, Any]:
    """Fine-tune, predict, evaluate; returns the row of the table."""
    strategy, _, words = way.partition(" ")
    run = options.output / f"{_file_name(way)}-seed{seed}"
    annotated, unseen = selected(options.annotated), selected(options.unseen)
    started = time.perf_counter()
    finetune.run(
        FinetuneSettings(
            run=run,
            labeled=options.data,
            annotation="cases" if strategy == DENSE else "scribbles",
            outside_is_background=options.outside_is_background,
            start="none",
            strategy=strategy,
            options=json.loads(words or "{}"),
            steps=profile.finetune_steps,
            batch=profile.finetune_batch,
            base_channels=profile.base_channels,
            seed=seed,
            grid=GridSettings(spacing=profile.spacing, patch=profile.patch),
            cases=annotated,
        )
    )
    seconds = time.perf_counter() - started
    output, report = run / "predictions", run / "report.csv"
    predicting = PredictSettings(run=run, images=options.data, output=output, uncertainty=False, cases=unseen)
    judged = scores(predicting, options.data, report)
    return {
        "way": way,
        "seed": seed,
        "patients": " ".join(annotated.only),
        "dice_one_piece": _dice_of_one_piece(output, options.data),
        "dice_of_structures": json.dumps(_per_structure(report)),
        "finetune_s": round(seconds),
        "settings": json.dumps(asdict(profile)),
        **judged,
    }


def _dice_of_one_piece(predictions: Path, data: Path) -> float:
    """Mean Dice if only the largest piece of all structures, then of each, is kept.

    With dense labels the product sees that a heart is one piece and does so; scribbles cannot tell.
    """
    dice: dict[str, list[float]] = defaultdict(list)
    for case in find_cases(data).cases:
        predicted = predictions / f"{case.name}.seg.nrrd"
        if case.labels and predicted.exists():
            truth = read_labels(case.labels)
            labels = read_labels(predicted, truth.table).volume.array
            values = [structure.value for structure in truth.table.structures]
            kept = keep_largest(labels, [values, *([value] for value in values)])
            for value in values:
                found, true = kept == value, truth.volume.array == value
                if size := found.sum() + true.sum():
                    dice[case.patient].append(2 * (found & true).sum() / size)
    return round(float(np.mean([np.mean(values) for values in dice.values()])), 5)


def _per_structure(report: Path) -> dict[str, float]:
    """Mean Dice of each structure over patients, their frames averaged first."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with report.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["dice"]:
                values[row["structure"]][row["patient"]].append(float(row["dice"]))
    return {
        structure: round(float(np.mean([np.mean(dice) for dice in patients.values()])), 5)
        for structure, patients in values.items()
    }


def write_summary(table: Path) -> None:
    """Write one line per way beside the rows of the runs."""
    rows: dict[str, dict[int, dict[str, str]]] = defaultdict(dict)
    for row in rows_of(table):
        rows[row["way"]][int(row["seed"])] = row
    if not rows:
        return
    structures = list(json.loads(rows_of(table)[0]["dice_of_structures"]))
    head = [
        "learned with",
        "seeds",
        *structures,
        "mean Dice",
        "HD95 mm",
        f"difference to {BASE} [95 %]",
        "Dice of one piece each",
        "minutes",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    patients = {
        way: {seed: json.loads(row["dice_of_patients"]) for seed, row in seeds.items()}
        for way, seeds in rows.items()
    }
    for way, seeds in rows.items():
        found = [json.loads(row["dice_of_structures"]) for row in seeds.values()]
        cells = [
            NAMES.get(way, way),
            str(len(seeds)),
            *(_spread([each[structure] for each in found], 3) for structure in structures),
            _spread([float(row["dice"]) for row in seeds.values()], 3),
            _spread([float(row["hd95_mm"]) for row in seeds.values()], 1),
            _difference(patients[way], patients.get(BASE, {})),
            _spread([float(row["dice_one_piece"]) for row in seeds.values()], 3),
            f"{np.mean([float(row['finetune_s']) for row in seeds.values()]) / 60:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    text = "\n".join([*lines, ""])
    table.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text, flush=True)


def _spread(values: list[float], digits: int) -> str:
    """Mean over seeds ± standard deviation, if there are several."""
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


if __name__ == "__main__":
    main()
