"""Read the predicted and the true labels of one case, and compare them structure by structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.evaluation.label_pairs import LabelPair
from ContrastiveSegLib.evaluation.metrics import StructureMetrics, compare
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.file_io.label_meanings import ReadLabels
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.label_array import LabelArray
from ContrastiveSegLib.imaging.label_values import renumber
from ContrastiveSegLib.imaging.labels import LabelTable

# Images given as labels by mistake: on ACDC and hippocampus at most 47 % of their voxels equal the next one
# in the row, those of label maps do in 85 to 95 %. A few structures may be thin, so few values prove nothing.
SUSPICIOUS_VALUES = 20
LEAST_EQUAL_NEIGHBORS = 0.6


@dataclass(frozen=True)
class ComparedCase:
    """One case and the metrics of each of its structures.

    Args:
        common: The structures of both files; `metrics` has one entry for each.
        annotated: The structures of the true labels.
    """

    name: str
    patient: str
    metrics: tuple[StructureMetrics, ...]
    common: LabelTable
    annotated: LabelTable
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, which another process can read."""
        return asdict(self) | {"common": self.common.to_json(), "annotated": self.annotated.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ComparedCase:
        """Read back what to_json() made."""
        tables = {name: LabelTable.from_json(data[name]) for name in ("common", "annotated")}
        metrics = tuple(StructureMetrics(**one) for one in data["metrics"])
        return cls(**{**data, **tables, "metrics": metrics, "notes": tuple(data["notes"])})


def compare_case(
    pair: LabelPair, table: LabelTable | None = None, *, ignored: int | None = None
) -> ComparedCase:
    """Compare every structure that one of the two files knows, on the grid of the true labels.

    Args:
        table: The structures of the true labels, where they are known from elsewhere.
        ignored: The value of the true labels that says nothing: there, nothing is compared.

    Raises:
        BadFile: A file cannot be read or is no label map, or the two share no space or no structure.
    """
    truth, prediction = _read(pair.truth, table, ignored, pair.image), _read(pair.prediction)
    if truth.nothing_drawn:
        raise BadFile(f"Nothing is drawn in {pair.truth}.", "Draw the structures, or leave this case out.")
    annotated, predicted = _named(truth.table, prediction.table), _named(prediction.table, truth.table)
    _check_names(pair, annotated, predicted)
    common = LabelTable.merged(annotated, predicted)
    grid = truth.volume.geometry
    placed = labels_on_grid(prediction.volume, grid, name=f"{pair.case} as predicted", of="true label map")
    labels = placed.volume.array if truth.unknown is None else np.where(truth.unknown, 0, placed.volume.array)
    metrics = compare(
        _renumbered(labels, predicted, common, pair.prediction),
        _renumbered(truth.volume.array, annotated, common, pair.truth),
        spacing_khw=grid.spacing_khw,
        values=common.values,
    )
    notes = [f"{pair.case}: {note}" for note in (*prediction.notes, *truth.notes, *placed.notes)]
    if truth.unknown is not None:
        share = float(truth.unknown.mean())
        notes.append(f"{pair.case}: {share:.1%} of the voxels are to be ignored and were not compared.")
    return ComparedCase(pair.case, pair.patient, tuple(metrics), common, annotated, tuple(notes))


def _read(
    path: Path,
    table: LabelTable | None = None,
    ignored: int | None = None,
    image: Sequence[Path] = (),
) -> ReadLabels:
    read = read_labels(path, table, ignored=ignored, image=image)
    values = len(read.table.values)
    if _is_unnamed(read.table) and values > SUSPICIOUS_VALUES and _is_grainy(read.volume.array):
        raise BadFile(
            f"{path} has {values} different values and hardly two neighbors that agree: it looks like an "
            "image, not like labels.",
            "Choose the folder with the labels.",
        )
    return read


def _is_grainy(array: LabelArray) -> bool:
    inside = array[..., :-1] > 0
    equal = array[..., :-1][inside] == array[..., 1:][inside]
    return bool(equal.size) and float(equal.mean()) < LEAST_EQUAL_NEIGHBORS


def _named(table: LabelTable, partner: LabelTable) -> LabelTable:
    """The table; where it has numbers for names, with the partner's names for the same values."""
    if not _is_unnamed(table) or _is_unnamed(partner):
        return table
    names = {structure.value: structure.name for structure in partner.structures}
    return LabelTable(tuple(replace(s, name=names.get(s.value, s.name)) for s in table.structures))


def _is_unnamed(table: LabelTable) -> bool:
    """Whether a file had no names, so that its structures were called by their numbers."""
    numbered = LabelTable.default_for(table.values)
    return {s.value: s.name for s in table.structures} == {s.value: s.name for s in numbered.structures}


def _check_names(pair: LabelPair, annotated: LabelTable, predicted: LabelTable) -> None:
    """Refuse files that call everything differently: all would count as missed, and as invented."""
    if _is_unnamed(annotated) or _is_unnamed(predicted) or predicted.mapping_to(annotated):
        return
    raise BadFile(
        f"Prediction and label of {pair.case} have no structure in common: {pair.prediction} has "
        f"{', '.join(predicted.names)}; {pair.truth} has {', '.join(annotated.names)}.",
        "Rename the segments of one of them.",
    )


def _renumbered(array: LabelArray, own: LabelTable, common: LabelTable, path: Path) -> LabelArray:
    return renumber(array, own, common, path) if own.structures else array
