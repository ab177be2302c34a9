"""How good a network is on validation patients while it learns: Dice per structure, patients as the unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ContrastiveSegLib.distributed.processes import is_first
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.atomic_write import write_atomically


class Validation:
    """Scores a network on prepared cases, and keeps metrics.csv.

    Args:
        cases: Of patients that training never sees.
        path: metrics.csv: one line per score with the Dice of each structure.
        log_event: Takes the event of each score.
    """

    def __init__(
        self,
        predictor: Predictor,
        cases: Sequence[PreparedCase],
        *,
        table: LabelTable,
        path: Path,
        log_event: Callable[..., None],
    ) -> None:
        self.predictor, self.cases = predictor, tuple(cases)
        self.table, self.path, self.log_event = table, path, log_event

    def score(self, step: int) -> float:
        """Mean Dice over structures of the mean over patients, on the working grid."""
        dice = self.dice()
        if is_first():
            self._write(step, dice)
        self.log_event(
            "validation", step=step, dice=dict(zip(self.table.names, map(float, dice), strict=True))
        )
        return float(_mean(dice))

    def dice(self) -> np.ndarray:
        """Dice of each structure, the mean over patients: (structures,); nan where nobody shows it."""
        per_patient: dict[str, list[list[float]]] = defaultdict(list)
        for case in self.cases:
            per_patient[case.patient].append(self._dice(case))
        return _mean([_mean(dice_of_cases) for dice_of_cases in per_patient.values()])

    def _dice(self, case: PreparedCase) -> list[float]:
        """Dice per structure over the known voxels; NaN where a structure is in neither labeling."""
        probabilities = self.predictor.probabilities(case.images)
        truth = np.asarray(case.label_map)
        winners = np.where(truth == IGNORE_LABEL, IGNORE_LABEL, probabilities.argmax(0))
        dice = []
        for index in range(1, len(self.table.structures) + 1):
            found, true = winners == index, truth == index
            size = found.sum() + true.sum()
            dice.append(2 * (found & true).sum() / size if size else np.nan)
        return dice

    def _write(self, step: int, dice: np.ndarray) -> None:
        """Add a line; lines of steps that a resumed training repeats are replaced."""
        before = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        numbers = ((line, line.split(",", 1)[0]) for line in before.splitlines()[1:])
        # What somebody damaged is left out; the weights do not depend on it.
        kept = [line for line, number in numbers if number.isdecimal() and int(number) < step]
        names = (name.replace(",", " ") for name in self.table.names)
        text = [",".join(("step", *names)), *kept, ",".join((str(step), *(f"{d:.4f}" for d in dice)))]
        write_atomically(self.path, "\n".join(text) + "\n")


def _mean(dice: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is there; NaN, without numpy's warning, where nothing is."""
    values = np.asarray(dice, float)
    count = np.isfinite(values).sum(0)
    return np.where(count > 0, np.nansum(values, 0) / np.maximum(count, 1), np.nan)
