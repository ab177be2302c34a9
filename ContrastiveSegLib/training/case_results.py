"""What became of every case in a job that has its own results: a table beside these."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case, LeftOut
from ContrastiveSegLib.runs.atomic_write import write_atomically

COLUMNS = ("case", "image", "outcome", "reason")
EXPECTED = "expected_dice"


def write_case_results(
    path: Path,
    cases: Sequence[Case],
    reasons: Sequence[str],
    left_out: Sequence[LeftOut] = (),
    *,
    expected: Sequence[float] | None = None,
    others_stay: bool = True,
) -> None:
    """Write every case as done or left out, and the files that never became one.

    Args:
        reasons: Why a case is left out; "" if it is not.
        expected: The Dice that is expected of each result, nan if unknown; the worst come first.
        others_stay: Whether rows of cases that this job was not asked about stay, as their results do.
    """
    rows = _earlier_rows(path, {case.name for case in cases}) if others_stay else []
    there = {row["image"] for row in rows}
    dice = [math.nan] * len(cases) if expected is None else expected
    for case, reason, value in zip(cases, reasons, dice, strict=True):
        images = "; ".join(map(str, case.images))
        rows.append(_row(case.name, images, reason, "" if math.isnan(value) else f"{value:.4f}"))
    rows += [_row("", str(out.path), out.reason) for out in left_out if str(out.path) not in there]
    columns = COLUMNS if expected is None else (*COLUMNS, EXPECTED)
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows if expected is None else sorted(rows, key=_worst_first))
    write_atomically(path, text.getvalue())


def _row(case: str, image: str, reason: str, dice: str = "") -> dict[str, str]:
    outcome = "left out" if reason else "done"
    return {"case": case, "image": image, "outcome": outcome, "reason": reason, EXPECTED: dice}


def _earlier_rows(path: Path, cases: Collection[str]) -> list[dict[str, str]]:
    rows = ({name: row.get(name) or "" for name in (*COLUMNS, EXPECTED)} for row in _rows_in(path))
    return [row for row in rows if row["case"] and row["case"] not in cases]


def _rows_in(path: Path) -> list[dict[str, str]]:
    """What can be read of such a table."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        try:
            return list(csv.DictReader(line.replace("\0", "") for line in stream))
        except csv.Error:  # of a field without an end, for one
            return []


def _worst_first(row: Mapping[str, str]) -> float:
    value = _number(row[EXPECTED])
    return math.inf if math.isnan(value) else value


def read_expected(path: Path) -> dict[str, float]:
    """The expected Dice of each case in such a table; without those that cannot be read."""
    found = {row.get("case", ""): _number(row.get(EXPECTED)) for row in _rows_in(path)}
    return {case: value for case, value in found.items() if not math.isnan(value)}


def worst_first(cases: Sequence[Case], expected: Sequence[float], count: int = 3) -> str:
    """The cases of which least is expected, with it: "a 0.41, b 0.55"; empty where nothing is known."""
    known = [(value, case.name) for case, value in zip(cases, expected, strict=True) if value == value]
    return ", ".join(f"{name} {value:.2f}" for value, name in sorted(known)[:count])


def _number(text: str | None) -> float:
    try:
        return float(text or math.nan)
    except ValueError:
        return math.nan
