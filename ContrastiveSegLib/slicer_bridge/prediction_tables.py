"""What jobs wrote beside predictions: the expected Dice of each case, measures of each structure."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from ContrastiveSegLib.runs.run_folder import RunFolder

EXPECTED_DICE = "expected_dice"


def read_expected_dice(run: RunFolder) -> dict[str, float]:
    """Case to expected Dice, of those of which it is known; empty where no job has written it."""
    rows = _rows_of(run.case_results("predict", folder=run.predictions))
    found = {row.get("case") or "": number(row.get(EXPECTED_DICE)) for row in rows}
    return {case: value for case, value in found.items() if case and math.isfinite(value)}


def read_measures(run: RunFolder, case: str) -> dict[str, dict[str, str]]:
    """The columns of `summary.csv` for each structure of a case; empty where no job has written them."""
    rows = _rows_of(run.summary())
    return {row["structure"]: row for row in rows if row.get("case") == case and row.get("structure")}


def number(text: str | None) -> float:
    """The number in a cell; nan if there is none."""
    try:
        return float(text or math.nan)
    except ValueError:
        return math.nan


def _rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a table; none where it is missing or damaged, because only the jobs can mend it."""
    try:
        text = table.read_text(encoding="utf-8-sig")
        # Cells beyond the header have no name, those that are missing no text.
        return list(csv.DictReader(io.StringIO(text.replace("\0", ""), newline=""), restkey="", restval=""))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
