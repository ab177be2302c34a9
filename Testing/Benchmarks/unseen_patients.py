"""What the benchmarks of accuracy share: patients of ACDC, scores of unseen ones, tables that grow."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ContrastiveSegLib.jobs import evaluate, predict
from ContrastiveSegLib.settings.job_settings import CaseSelection, EvaluateSettings, PredictSettings

# The patients that SuperCL and MACL annotate on ACDC, and twenty that nothing was chosen on.
ACDC_ANNOTATED = (73, 18, 1, 15, 95, 6, 13, 16, 58, 39, 3, 4, 90, 57, 80, 77, 24, 7, 97, 92)
ACDC_UNSEEN = (2, 8, 9, 11, 12, 17, 19, 20, 23, 25, 27, 28, 30, 31, 32, 33, 35, 37, 38, 40)


def selected(numbers: Iterable[int]) -> CaseSelection:
    """The cases of these patients of ACDC."""
    return CaseSelection(only=tuple(f"patient{n:03d}" for n in numbers))


def scores(settings: PredictSettings, labels: Path, report: Path) -> dict[str, Any]:
    """Predict, and compare with the labels: the columns that every table has.

    Args:
        report: CSV file for the rows of each case and structure.

    Returns:
        Means over patients, whose structures and volumes are averaged first: dice, hd95_mm; and
        dice_of_patients as JSON.
    """
    predict.run(settings)
    predictions = settings.output or settings.run / "predictions"
    evaluate.run(
        EvaluateSettings(
            predictions=predictions, labels=labels, output=report, overwrite=True, cases=settings.cases
        )
    )
    dice, distance = (per_patient(report, column) for column in ("dice", "hd95_mm"))
    return {
        "dice": round(float(np.mean(list(dice.values()))), 5),
        "hd95_mm": round(float(np.nanmean(list(distance.values()))), 3),
        "dice_of_patients": json.dumps({patient: round(value, 5) for patient, value in dice.items()}),
    }


def per_patient(report: Path, column: str) -> dict[str, float]:
    """The mean of a column of a report over the structures and volumes of each patient."""
    values = defaultdict(list)
    for row in rows_of(report):
        if row[column]:
            values[row["patient"]].append(float(row[column]))
    return {patient: float(np.mean(found)) for patient, found in values.items()}


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it is not there yet."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def append(table: Path, row: dict[str, Any]) -> None:
    """Add a row at once, so that an interrupted benchmark goes on behind it; the columns stay as they are."""
    before = rows_of(table)
    with table.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(before[0] if before else row))
        if not before:
            writer.writeheader()
        writer.writerow(row)
