"""The report beside predictions: `summary.json` and, as a table, `summary.csv` (docs/jobs/predict.md)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ContrastiveSegLib.evaluation.structure_measures import StructureMeasures
from ContrastiveSegLib.program_identity import PROGRAM
from ContrastiveSegLib.runs.atomic_write import write_atomically

FORMAT = 1
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class PredictedCase:
    """One predicted volume.

    Args:
        round, model: Of fine-tuning, and the SHA-256 of the file of its weights.
        version: Of this program.
        seconds, memory_mb: Of the whole case; the memory of the process when it was done.
        expected_dice: nan if unknown.
        labels_sha256: Of its labels, by which it is known again after another program saved it.
    """

    case: str
    image: tuple[str, ...]
    prediction: str
    network: str
    round: int
    model: str
    version: str
    seconds: float
    memory_mb: float
    expected_dice: float
    structures: Sequence[StructureMeasures]
    labels_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values; what is unknown is None."""
        known = None if math.isnan(self.expected_dice) else self.expected_dice
        return {**asdict(self), "image": list(self.image), "expected_dice": known}


def read_summary(path: Path) -> dict[str, dict[str, Any]]:
    """What an earlier job wrote of each case; {} if nothing, or if it cannot be read: it is made again."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["cases"]
        return {str(entry["case"]): entry for entry in entries if _row_of(entry)}
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}


def write_summary(path: Path, table: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Both files, the JSON and the table, in the order of the cases' names.

    Raises:
        CannotWrite: The folder refuses, or the disk is full.
    """
    cases = sorted(entries, key=lambda entry: str(entry["case"]))
    content = {"format": FORMAT, "program": PROGRAM, "coordinates": "LPS, mm", "cases": cases}
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    rows = [row for entry in cases for row in _row_of(entry)]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(table, text.getvalue())


OF_STRUCTURE = ("volume_ml", "gray_mean", "gray_sd", "gray_min", "gray_max")
OF_CASE = ("expected_dice", "network", "round", "model", "version", "seconds", "memory_mb")
COLUMNS = (
    *("case", "structure", "value", *OF_STRUCTURE),
    *(f"centroid_{axis}_mm" for axis in AXES),
    *(f"{end}_{axis}_mm" for axis in AXES for end in ("min", "max")),
    *("touches_border", *OF_CASE, "image", "prediction"),
)


def _row_of(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row of the table for each structure of a case."""
    about = {name: _rounded(entry[name]) for name in OF_CASE}
    about |= {"case": entry["case"], "image": "; ".join(entry["image"]), "prediction": entry["prediction"]}
    rows = []
    for found in entry["structures"]:
        row = {"structure": found["name"], "value": found["value"], "touches_border": found["touches_border"]}
        row |= {name: _rounded(found[name]) for name in OF_STRUCTURE}
        center, (low, high) = found["centroid_mm"] or [None] * 3, found["box_mm"] or [[None] * 3] * 2
        for n, axis in enumerate(AXES):
            row[f"centroid_{axis}_mm"] = _rounded(center[n])
            row[f"min_{axis}_mm"], row[f"max_{axis}_mm"] = _rounded(low[n]), _rounded(high[n])
        rows.append({**about, **row})
    return rows


def _rounded(value: Any) -> Any:
    """Four digits after the point are less than a voxel of any scan."""
    return round(value, 4) if isinstance(value, float) else value
