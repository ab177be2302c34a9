"""How well the expected Dice tells good predictions from bad ones.

    python Testing/Benchmarks/expected_quality.py DATA RUNS OUT \\
        --results Testing/Benchmarks/results/expected-quality

RUNS is a folder of runs that accuracy.py made, with the reports it left there. Each is predicted again into
OUT. A row says of one training: rank correlation (Spearman) of expected and true Dice over the cases, the
share of failures (true Dice below 0.6) among all cases and among the tenth with the lowest expected Dice, and
the mean distance between both.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from unseen_patients import append, rows_of

from ContrastiveSegLib.jobs import predict
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import CaseSelection, FinetuneSettings, PredictSettings
from ContrastiveSegLib.training.case_results import read_expected

FAILURE = 0.6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the images that were judged")
    parser.add_argument("runs", type=Path, help="folder of runs of accuracy.py")
    parser.add_argument("output", type=Path, help="folder for predictions")
    parser.add_argument("--results", type=Path, required=True, help="name of the table, without suffix")
    options = parser.parse_args()
    table = options.results.with_suffix(".csv")
    done = {(row["run"], row["annotated"]) for row in rows_of(table)}
    for run in sorted(path for path in options.runs.iterdir() if RunFolder(path).exists):
        for number, count in _rounds(RunFolder(run)):
            report = run / f"report-{count}.csv"
            if report.exists() and (run.name, str(count)) not in done:
                append(table, _row(options, run, number, count, _true(report)))


def _rounds(run: RunFolder) -> list[tuple[int, int]]:
    """The finished rounds, and how many patients were annotated in each."""
    return [
        (n, len(run.read_settings("finetune", FinetuneSettings, round_number=n).cases.only))
        for n in run.finetune_rounds(finished=True)
    ]


def _true(report: Path) -> dict[str, float]:
    """Mean Dice of the structures of each case."""
    dice = defaultdict(list)
    for row in rows_of(report):
        if row["dice"]:
            dice[row["case"]].append(float(row["dice"]))
    return {case: float(np.mean(values)) for case, values in dice.items()}


def _row(
    options: argparse.Namespace, run: Path, number: int, count: int, true: dict[str, float]
) -> dict[str, Any]:
    output = options.output / f"{run.name}-{count}"
    selection = CaseSelection(only=tuple(true))
    predict.run(
        PredictSettings(
            run=run, images=options.data, output=output, round=number, uncertainty=False, cases=selection
        )
    )
    expected = read_expected(output / "predict_cases.csv")
    cases = sorted(true.keys() & expected.keys())
    dice, said = np.array([true[c] for c in cases]), np.array([expected[c] for c in cases])
    return {"run": run.name, "annotated": count, **judged(dice, said)}


def judged(dice: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    """The figures of one row."""
    worst = np.argsort(said, kind="stable")[: max(1, round(len(said) / 10))]
    return {
        "cases": len(dice),
        "dice": round(float(dice.mean()), 4),
        "expected": round(float(said.mean()), 4),
        "rank_correlation": round(float(spearmanr(said, dice)[0]), 3),
        "failures": round(float((dice < FAILURE).mean()), 3),
        "failures_in_worst_tenth": round(float((dice[worst] < FAILURE).mean()), 3),
        "mean_distance": round(float(np.abs(dice - said).mean()), 4),
    }


if __name__ == "__main__":
    main()
