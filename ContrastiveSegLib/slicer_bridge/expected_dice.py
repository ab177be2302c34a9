"""The Dice that is expected of each prediction, as the job wrote it beside them."""

from __future__ import annotations

import csv
import io
import math

from ContrastiveSegLib.runs.run_folder import RunFolder

COLUMN = "expected_dice"


def read_expected_dice(run: RunFolder) -> dict[str, float]:
    """Case to expected Dice, of those of which it is known; empty where no job has written it."""
    try:
        text = run.case_results("predict", folder=run.predictions).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(text.replace("\0", ""), newline="")))
    except csv.Error:  # of a damaged table
        return {}
    found = {row.get("case") or "": _number(row.get(COLUMN)) for row in rows}
    return {case: value for case, value in found.items() if case and math.isfinite(value)}


def _number(text: str | None) -> float:
    try:
        return float(text or math.nan)
    except ValueError:
        return math.nan
