"""Which slices show the organ: one label per slice, from annotations or from a simple table (slices.csv)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.annotations import read_annotation
from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.dataset.slice_table import read_slice_table
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.file_slices import file_slices
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.resampling import prepare_labels

LOGGER = logging.getLogger("ContrastiveSegLib")

TABLE = "slices.csv"
COLUMNS = ("case", "slice", "organ")
WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
EXAMPLE = "Give it the columns case,slice,organ, with slices counted from 0 and organ 1 or 0."


def slice_labels(
    cases: Sequence[Case], prepared: Sequence[PreparedCase], source: Path
) -> dict[str, npt.NDArray[np.bool_]]:
    """The flags of every case that has some: case name to (K,) in the order of the prepared slices.

    Args:
        cases: The cases that `prepared` come from; their own label files count too.
        source: A table, a folder that holds one called slices.csv, or a folder with labeled cases.

    Raises:
        BadFile: The table, or a label file, cannot be used.
    """
    table = source / TABLE if source.is_dir() else source
    if table.is_file():
        known = read_table(table)
        return {p.name: _from_table(known[p.name], p, table) for p in prepared if p.name in known}
    labels = {case.name: (case, case.labels) for case in (*cases, *find_cases(source).cases) if case.labels}
    flags = {}
    for case in prepared:
        if case.name in labels:
            found, reason = attempt(case.name, _from_labels, *labels[case.name], case)
            if found is None:
                LOGGER.warning("%s has no slice-level labels: %s", case.name, reason)
            else:
                flags[case.name] = found
    return flags


def read_table(path: Path) -> dict[str, dict[int, bool]]:
    """Case name to slice number to flag.

    Raises:
        BadFile: Unreadable, without the three columns, or with a value that is no number or flag.
    """
    return read_slice_table(path, COLUMNS, lambda row: WORDS[row["organ"].strip().lower()], example=EXAMPLE)


def _from_table(rows: Mapping[int, bool], prepared: PreparedCase, path: Path) -> npt.NDArray[np.bool_]:
    numbers = file_slices(prepared.original, prepared.working).numbers
    missing = sorted(set(numbers) - set(rows))
    if missing:
        raise BadFile(
            f"{path} says nothing about slice {missing[0]} of {prepared.name}, which has "
            f"{len(numbers)} slices.",
            EXAMPLE,
        )
    return np.array([rows[n] for n in numbers])


def _from_labels(labeled: Case, path: Path, prepared: PreparedCase) -> npt.NDArray[np.bool_]:
    read = read_annotation(path, labeled)
    flags = _slices_with(read.volume, prepared)
    if read.unknown is not None:
        unknown = Volume(read.unknown.astype(np.int16), read.volume.geometry)
        open_questions = int((_slices_with(unknown, prepared) & ~flags).sum())
        if open_questions:
            raise BadFile(
                f"{path} shows nothing in {open_questions} of {len(flags)} slices, of which voxels are "
                "to be ignored, so that nobody knows whether they show the organ.",
                f"Say it in a table {TABLE} with the columns {','.join(COLUMNS)}.",
            )
    return flags


def _slices_with(drawn: Volume, prepared: PreparedCase) -> npt.NDArray[np.bool_]:
    """(K,) in which prepared slices anything is drawn."""
    placed = labels_on_grid(drawn, prepared.original, name=prepared.name)
    for note in placed.notes:
        LOGGER.warning("%s: %s", prepared.name, note)
    on_working_grid = prepare_labels(placed.volume, prepared.working)
    flags: npt.NDArray[np.bool_] = np.any(on_working_grid.array > 0, axis=(1, 2))
    return flags
