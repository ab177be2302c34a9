"""The table of an evaluation: every case as CSV, the summary as text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ContrastiveSegLib.dataset.cases import LeftOut
from ContrastiveSegLib.evaluation.metrics import INVENTED, MISSED
from ContrastiveSegLib.evaluation.summary import CaseMetrics, Spread, StructureSummary
from ContrastiveSegLib.imaging.case_errors import LostCases
from ContrastiveSegLib.terminal import visible

COLUMNS = (
    "case",
    "patient",
    "structure",
    "value",
    "dice",
    "hd95_mm",
    "asd_mm",
    "volume_ml",
    "label_volume_ml",
    "predicted_voxels",
    "label_voxels",
    "shared_voxels",
    "note",
)
HEADINGS = (
    "structure",
    "Dice",
    "HD95 mm",
    "ASD mm",
    "pooled Dice",
    "patients",
    "cases",
    "missed",
    "invented",
    "absent",
)
LEGEND = (
    "Dice, HD95 and ASD (average surface distance): mean ± standard deviation over patients; the cases of a "
    "patient are averaged first.",
    "Pooled Dice: over the voxels of all cases together, as in the papers; large structures weigh more.",
)
# Enough to recognize a pattern; all of them are in the CSV file.
SHOWN = 5


@dataclass(frozen=True)
class EvaluationReport:
    """How predictions agree with labels.

    Args:
        rows: One per case and structure.
        summary: One per structure, and one for all when there are several.
        left_out: Files that could not be compared, and why.
        notes: What was remarkable and does not belong to one row.
    """

    rows: tuple[CaseMetrics, ...]
    summary: tuple[StructureSummary, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()

    @property
    def losses(self) -> LostCases:
        """How many of the cases that have a prediction and a label could not be compared."""
        lost = sum(file.failed for file in self.left_out)
        return LostCases(lost, lost + len({row.case for row in self.rows}))

    def to_csv(self) -> str:
        """A line per case and structure; figures without a value are empty, and files left out stand last."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_cells(row) for row in self.rows)
        blanks = [""] * (len(COLUMNS) - 2)
        table.writerows([file.path.name, *blanks, f"left out: {file.reason}"] for file in self.left_out)
        return text.getvalue()

    def to_text(self) -> str:
        """The summary as an aligned table, with what was noted and left out below it."""
        lines = [*_aligned([HEADINGS, *map(_summary_cells, self.summary)]), "", *LEGEND]
        lines += self._without_distance()
        lines += [f"Note: {note}" for note in self.notes]
        lines += _grouped(self.left_out)
        return "\n".join(map(visible, lines))

    def _without_distance(self) -> list[str]:
        one_sided = sum(row.metrics.note in (MISSED, INVENTED) for row in self.rows)
        if not one_sided:
            return []
        return [
            f"Missed (only in the label) or invented (only in the prediction), {one_sided} x: the Dice of 0 "
            "counts, but there is no distance, so HD95 and ASD look better than they are."
        ]


def _cells(row: CaseMetrics) -> list[str | int]:
    found = row.metrics
    figures = (found.dice, found.hd95_mm, found.asd_mm, found.volume_ml, found.truth_volume_ml)
    return [
        row.case,
        row.patient,
        row.structure,
        found.value,
        *("" if math.isnan(figure) else f"{figure:.6g}" for figure in figures),
        found.prediction_voxels,
        found.truth_voxels,
        found.intersection,
        found.note,
    ]


def _summary_cells(line: StructureSummary) -> list[str]:
    return [
        line.structure,
        _spread(line.dice, 3),
        _spread(line.hd95_mm, 2),
        _spread(line.asd_mm, 2),
        _figure(line.pooled_dice, 3),
        str(line.dice.patients),
        *(str(count) for count in (line.cases, line.missed, line.invented, line.absent)),
    ]


def _spread(spread: Spread, digits: int) -> str:
    mean = _figure(spread.mean, digits)
    return mean if math.isnan(spread.sd) else f"{mean} ± {spread.sd:.{digits}f}"


def _figure(figure: float, digits: int) -> str:
    return "-" if math.isnan(figure) else f"{figure:.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell: names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _grouped(left_out: Iterable[LeftOut]) -> list[str]:
    """A line per reason, with the first files it holds for."""
    reasons: dict[str, list[str]] = {}
    for file in left_out:
        reasons.setdefault(file.reason, []).append(file.path.name)
    lines = []
    for reason, names in reasons.items():
        more = ", ..." if len(names) > SHOWN else ""
        lines.append(f"Left out, {len(names)} x {reason}: {', '.join(names[:SHOWN])}{more}")
    return lines
