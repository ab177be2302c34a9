"""What became of every case in a job that has its own results: a table beside these."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
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
) -> None:
    """Write every case as done or left out, and the files that never became one.

    Args:
        reasons: Why a case is left out; "" if it is not.
        expected: The Dice that is expected of each result, nan if unknown; the worst come first.
    """
    rows = [
        [case.name, "; ".join(map(str, case.images)), "left out" if reason else "done", reason]
        for case, reason in zip(cases, reasons, strict=True)
    ]
    rows += [["", str(out.path), "left out", out.reason] for out in left_out]
    columns: tuple[str, ...] = COLUMNS
    if expected is not None:
        values = [*expected, *[math.nan] * len(left_out)]
        order = sorted(range(len(rows)), key=lambda n: math.inf if math.isnan(values[n]) else values[n])
        rows = [[*rows[n], "" if math.isnan(values[n]) else f"{values[n]:.4f}"] for n in order]
        columns = (*COLUMNS, EXPECTED)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    write_atomically(path, text.getvalue())


def read_expected(path: Path) -> dict[str, float]:
    """The expected Dice of each case in such a table; without those that cannot be read."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        found = {row.get("case", ""): _number(row.get(EXPECTED)) for row in csv.DictReader(stream)}
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
