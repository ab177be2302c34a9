"""One line per structure out of many cases, with patients as the unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from ContrastiveSegLib.evaluation.metrics import ABSENT, StructureMetrics, pooled_dice

ALL_STRUCTURES = "all structures"
NAN = float("nan")


@dataclass(frozen=True)
class CaseMetrics:
    """The metrics of one structure of one case, and whose case it is."""

    case: str
    patient: str
    structure: str
    metrics: StructureMetrics


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over the patients that have a value; nan where there are too few."""

    mean: float
    sd: float
    patients: int


@dataclass(frozen=True)
class StructureSummary:
    """How well one structure agrees over all patients.

    Args:
        pooled_dice: Over the voxels of all cases together, as in the papers; not the mean of anything.
        missed: Cases whose label has the structure while the prediction does not: Dice 0, no distance.
        invented: Cases whose prediction has the structure while the label does not: Dice 0, no distance.
        absent: Cases in which neither has it: no value at all.
    """

    structure: str
    dice: Spread
    hd95_mm: Spread
    asd_mm: Spread
    pooled_dice: float
    cases: int
    missed: int
    invented: int
    absent: int


def summarize(rows: Sequence[CaseMetrics]) -> tuple[StructureSummary, ...]:
    """A line per structure, in order of appearance, and one for all when there are several.

    The cases of a patient are averaged first, so that a patient with many frames weighs as much as any other.
    In the line for all, the structures of a patient are averaged, too; pooled Dice is the mean of theirs.
    """
    names = list(dict.fromkeys(row.structure for row in rows))
    lines = [_summary(name, [row for row in rows if row.structure == name]) for name in names]
    if len(lines) > 1:
        lines.append(_summary(ALL_STRUCTURES, rows))
    return tuple(lines)


def absent_metrics(value: int) -> StructureMetrics:
    """What `compare` says of a structure that neither labeling has."""
    return StructureMetrics(value, NAN, NAN, NAN, 0.0, 0.0, 0, 0, 0, ABSENT)


def _summary(name: str, rows: Sequence[CaseMetrics]) -> StructureSummary:
    found = [row.metrics for row in rows]
    return StructureSummary(
        structure=name,
        dice=_over_patients((row, row.metrics.dice) for row in rows),
        hd95_mm=_over_patients((row, row.metrics.hd95_mm) for row in rows),
        asd_mm=_over_patients((row, row.metrics.asd_mm) for row in rows),
        pooled_dice=_mean(pooled_dice(found).values()),
        cases=len({row.case for row in rows}),
        missed=sum(a.truth_voxels > 0 and not a.prediction_voxels for a in found),
        invented=sum(a.prediction_voxels > 0 and not a.truth_voxels for a in found),
        absent=sum(not a.prediction_voxels and not a.truth_voxels for a in found),
    )


def _over_patients(figures: Iterable[tuple[CaseMetrics, float]]) -> Spread:
    """Average the cases of a patient, then the structures, then the patients; nan counts nowhere."""
    cases: dict[tuple[str, str], list[float]] = {}
    for row, figure in figures:
        cases.setdefault((row.patient, row.structure), []).append(figure)
    structures: dict[str, list[float]] = {}
    for (patient, _), values in cases.items():
        structures.setdefault(patient, []).append(_mean(values))
    patients = [mean for mean in map(_mean, structures.values()) if not math.isnan(mean)]
    return Spread(_mean(patients), stdev(patients) if len(patients) > 1 else NAN, len(patients))


def _mean(values: Iterable[float]) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    return fmean(numbers) if numbers else NAN
