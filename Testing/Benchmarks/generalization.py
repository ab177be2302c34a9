"""One source, other targets: what each module of `dual_ssl` adds on frames and acquisitions it never saw.

    python Testing/Benchmarks/generalization.py ../shared/data/acdc RUNS \\
        --results Testing/Benchmarks/results/generalization-acdc

Source are the end-diastolic frames of the eight annotated patients of ACDC; targets are twenty other
patients: their end-diastole (the same kind of image), their end-systole (another shape), and their
end-diastole as another scanner would show it (`acquisition.py`). Nothing was chosen by looking at results on
these patients. Every strategy has the same network, augmentation, steps and seeds. A benchmark that was
interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_summary import _difference
from acquisition import write_changed
from unseen_patients import ACDC_ANNOTATED, ACDC_UNSEEN, append, rows_of, scores

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.jobs import finetune
from ContrastiveSegLib.settings.job_settings import (
    CaseSelection,
    Compute,
    FinetuneSettings,
    GridSettings,
    PredictSettings,
)

SOURCE_PATIENTS = 8
STRATEGIES = {
    "base": {"contrast": False, "restoration": False},
    "+ contrast": {"contrast": True, "restoration": False},
    "+ restoration": {"contrast": False, "restoration": True},
    "both": {"contrast": True, "restoration": True},
}


@dataclass(frozen=True)
class Target:
    """What is segmented: cases of a folder of images, compared with the labels of the same names."""

    name: str
    images: Path
    cases: tuple[str, ...]


def main() -> None:
    options = _options()
    table = options.results.with_suffix(".csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    source, targets = _source_and_targets(options)
    for seed in range(options.seeds):
        for name in STRATEGIES:
            done = {row["target"] for row in rows_of(table) if _of(row) == (name, seed)}
            missing = [target for target in targets if target.name not in done]
            if missing:
                run = options.output / f"{name.replace('+ ', '')}-seed{seed}"
                seconds = _learn(options, run, STRATEGIES[name], source, seed)
                for target in missing:
                    append(table, _row(options, run, target, name, seed, seconds))
                _write_summary(table)
    _write_summary(table)


def _of(row: dict[str, str]) -> tuple[str, int]:
    return row["strategy"], int(row["seed"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="ACDC, with images/ and labels/")
    parser.add_argument("output", type=Path, help="folder for runs and changed images")
    parser.add_argument("--results", type=Path, required=True, help="name of table and rows, without suffix")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def _source_and_targets(options: argparse.Namespace) -> tuple[tuple[str, ...], list[Target]]:
    diastole, systole = _frames(options.data, ACDC_UNSEEN)
    changed = options.output / "changed-images"
    write_changed(options.data, changed, diastole)
    source, _ = _frames(options.data, ACDC_ANNOTATED[:SOURCE_PATIENTS])
    targets = [
        Target("end-diastole", options.data, diastole),
        Target("end-systole", options.data, systole),
        Target("end-diastole, other acquisition", changed, diastole),
    ]
    return source, targets


def _frames(data: Path, patients: Sequence[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first and the second annotated frame of each patient: end of diastole, end of systole."""
    frames: dict[str, list[str]] = {}
    for case in find_cases(data, only=[f"patient{n:03d}" for n in patients]).cases:
        frames.setdefault(case.patient, []).append(case.name)
    first, second = zip(*(sorted(names) for names in frames.values()), strict=True)
    return tuple(first), tuple(second)


def _learn(
    options: argparse.Namespace, run: Path, modules: dict[str, bool], source: Sequence[str], seed: int
) -> float:
    """Fine-tune from scratch unless done; returns seconds."""
    started = time.perf_counter()
    finetune.run(
        FinetuneSettings(
            run=run,
            labeled=options.data,
            start="none",
            strategy="dual_ssl",
            options=modules,
            steps=options.steps,
            batch=options.batch,
            base_channels=16,
            seed=seed,
            grid=GridSettings(spacing=1.5, patch=(128, 128)),
            cases=CaseSelection(only=tuple(source)),
            compute=Compute(threads=options.threads),
        )
    )
    return time.perf_counter() - started


def _row(
    options: argparse.Namespace, run: Path, target: Target, name: str, seed: int, seconds: float
) -> dict[str, Any]:
    """Predict and evaluate one target."""
    place, chosen = target.name.replace(", ", "-").replace(" ", "-"), CaseSelection(only=target.cases)
    predicting = PredictSettings(
        run=run,
        images=target.images,
        output=run / place,
        mirror="no",
        uncertainty=False,
        cases=chosen,
        compute=Compute(threads=options.threads),
    )
    return {
        "strategy": name,
        "seed": seed,
        "target": target.name,
        "finetune_s": round(seconds),
        "steps": options.steps,
        "batch": options.batch,
        **scores(predicting, options.data, run / f"{place}.csv"),
    }


def _write_summary(table: Path) -> None:
    """Mean and spread over seeds, and the paired difference to the base, for each target."""
    rows = rows_of(table)
    lines = [
        "| target | strategy | seeds | Dice: mean ± sd over seeds | HD95 mm | to base [95 % interval] |",
        "|---|---|---|---|---|---|",
    ]
    for target in dict.fromkeys(row["target"] for row in rows):
        found = {
            name: {
                int(row["seed"]): json.loads(row["dice_of_patients"])
                for row in rows
                if (row["target"], row["strategy"]) == (target, name)
            }
            for name in STRATEGIES
        }
        for name, seeds in found.items():
            if seeds:
                means = [float(np.mean(list(patients.values()))) for patients in seeds.values()]
                spread = f" ± {np.std(means, ddof=1):.3f}" if len(means) > 1 else ""
                distance = np.mean(
                    [float(r["hd95_mm"]) for r in rows if (r["target"], r["strategy"]) == (target, name)]
                )
                difference = _difference(seeds, found["base"])
                lines.append(
                    f"| {target} | {name} | {len(means)} | {np.mean(means):.3f}{spread} | {distance:.1f} "
                    f"| {difference} |"
                )
    text = "\n".join([*lines, ""])
    table.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text, flush=True)


if __name__ == "__main__":
    main()
