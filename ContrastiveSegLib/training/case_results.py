"""What became of every case in a job that has its own results: a table beside these."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case, LeftOut
from ContrastiveSegLib.runs.atomic_write import write_atomically

COLUMNS = ("case", "image", "outcome", "reason")


def write_case_results(
    path: Path, cases: Sequence[Case], reasons: Sequence[str], left_out: Sequence[LeftOut] = ()
) -> None:
    """Write every case as done or left out, and the files that never became one.

    Args:
        reasons: Why a case is left out; "" if it is not.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for case, reason in zip(cases, reasons, strict=True):
        images = "; ".join(str(image) for image in case.images)
        table.writerow([case.name, images, "left out" if reason else "done", reason])
    table.writerows(["", str(out.path), "left out", out.reason] for out in left_out)
    write_atomically(path, text.getvalue())
