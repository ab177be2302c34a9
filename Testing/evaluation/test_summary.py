"""One line per structure: patients are the unit, and nothing that is missing is averaged away unseen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ContrastiveSegLib.evaluation.metrics import StructureMetrics, compare
from ContrastiveSegLib.evaluation.summary import (
    ALL_STRUCTURES,
    CaseMetrics,
    absent_metrics,
    summarize,
)

NAN = float("nan")


def row(case: str, structure: str, dice: float, *, hd95_mm: float = 1.0, value: int = 1) -> CaseMetrics:
    """A case of the patient that the first letter names, with masks of 100 voxels."""
    metrics = StructureMetrics(value, dice, hd95_mm, hd95_mm / 2, 1.0, 1.0, round(100 * dice), 100, 100, "")
    return CaseMetrics(case, case[0], structure, metrics)


def test_frames_of_a_patient_are_averaged_before_patients() -> None:
    rows = [
        row("a1", "liver", 0.2),
        row("a2", "liver", 0.4),
        row("a3", "liver", 0.6),
        row("b1", "liver", 0.8),
    ]

    (line,) = summarize(rows)

    # Patients: a 0.4, b 0.8. The mean over cases would be 0.5.
    assert line.dice.mean == pytest.approx(0.6)
    assert line.dice.sd == pytest.approx(np.std([0.4, 0.8], ddof=1))
    assert (line.dice.patients, line.cases) == (2, 4)
    assert line.pooled_dice == pytest.approx(0.5)


def test_one_patient_has_no_standard_deviation() -> None:
    (line,) = summarize([row("a1", "liver", 0.2), row("a2", "liver", 0.4)])

    assert line.dice.mean == pytest.approx(0.3)
    assert math.isnan(line.dice.sd)


def test_missed_invented_and_absent_structures_are_counted() -> None:
    there = row("a1", "liver", 0.9, hd95_mm=4.0)
    empty = replace(there.metrics, dice=0.0, hd95_mm=NAN, asd_mm=NAN, intersection=0)
    rows = [
        there,
        CaseMetrics("b1", "b", "liver", replace(empty, prediction_voxels=0)),
        CaseMetrics("c1", "c", "liver", replace(empty, truth_voxels=0)),
        CaseMetrics("d1", "d", "liver", absent_metrics(1)),
    ]

    (line,) = summarize(rows)

    assert (line.cases, line.missed, line.invented, line.absent) == (4, 1, 1, 1)
    # Dice counts the two zeros; patient d has no value; only patient a has a distance.
    assert (line.dice.mean, line.dice.patients) == (pytest.approx(0.3), 3)
    assert (line.hd95_mm.mean, line.hd95_mm.patients) == (4.0, 1)
    assert line.pooled_dice == pytest.approx(2 * 90 / 400)


def test_the_line_for_all_weighs_structures_and_patients_equally() -> None:
    rows = [
        row("a1", "liver", 0.2, value=1),
        row("a2", "liver", 0.4, value=1),
        row("a1", "spleen", 0.9, value=2),
        row("b1", "liver", 0.8, value=1),
        CaseMetrics("b1", "b", "spleen", absent_metrics(2)),
    ]

    lines = summarize(rows)

    assert [line.structure for line in lines] == ["liver", "spleen", ALL_STRUCTURES]
    # Patient a: (0.3 + 0.9) / 2; patient b has no spleen.
    assert lines[-1].dice.mean == pytest.approx((0.6 + 0.8) / 2)
    assert lines[-1].pooled_dice == pytest.approx((lines[0].pooled_dice + lines[1].pooled_dice) / 2)
    assert (lines[-1].cases, lines[-1].absent) == (3, 1)


def test_a_structure_that_no_case_has_gets_no_value() -> None:
    (line,) = summarize([CaseMetrics("a1", "a", "liver", absent_metrics(1))])

    assert math.isnan(line.dice.mean)
    assert math.isnan(line.pooled_dice)
    assert (line.dice.patients, line.absent) == (0, 1)


def test_an_absent_agreement_is_what_compare_says() -> None:
    nothing = np.zeros((2, 3, 4), dtype=np.int16)

    (compared,) = compare(nothing, nothing, spacing_khw=(1.0, 1.0, 1.0), values=[5])

    assert repr(absent_metrics(5)) == repr(compared)
