"""Names of label values that stand beside the file: in `_dseg.tsv` of BIDS, or the datastore of MONAI Label.

Source: Brain Imaging Data Structure 1.10, discrete segmentations, and the inheritance principle.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.file_io.datastore_names import names_in_datastore
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.imaging.colors import Color, distinct_color
from ContrastiveSegLib.imaging.labels import LabelTable, Structure

DSEG = "_dseg"
ROOT_FILE = "dataset_description.json"
MOST_FOLDERS = 6  # from a file to the root of its data set: derivatives, pipeline, subject, session, kind


def names_beside(path: Path) -> LabelTable | None:
    """The structures that another file names for a label map; None if there is none.

    Raises:
        BadFile: That file cannot be understood.
    """
    stem = split_suffix(path.name)[0]
    if not stem.endswith(DSEG):
        return names_in_datastore(path)
    for folder in _folders(path.parent):
        tables = [table for table in folder.glob("*dseg.tsv") if _parts(table.stem) <= _parts(stem)]
        if tables:
            return _read(max(tables, key=lambda table: len(_parts(table.stem))))
    return None


def _folders(folder: Path) -> Iterator[Path]:
    """From the folder of a file to the root of its data set."""
    for parent in [folder, *folder.parents][:MOST_FOLDERS]:
        yield parent
        if (parent / ROOT_FILE).is_file():
            return


def _parts(stem: str) -> set[str]:
    """Such as sub-01, space-T1w: what the name says without its last word."""
    return {part for part in stem.split("_") if "-" in part}


def _read(path: Path) -> LabelTable:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t")
            rows, columns = list(table), table.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unnamed(path, str(error)) from error
    if not {"index", "name"} <= set(columns):
        raise _unnamed(path, f"its columns are {', '.join(columns) or 'none'}")
    if not rows:
        raise _unnamed(path, "it has no rows")
    try:
        return LabelTable(tuple(_structure(row) for row in rows if int(row["index"]) > 0))
    except BadSetting as error:
        raise _unnamed(path, error.what.rstrip(".")) from error
    except (TypeError, ValueError) as error:
        wrong = next(row["index"] for row in rows if not (row["index"] or "").strip().isdecimal())
        raise _unnamed(path, f"the index {wrong!r} is no whole number") from error


def _structure(row: Mapping[str, str]) -> Structure:
    value = int(row["index"])
    return Structure(value, row["name"] or "", _color(row.get("color") or "") or distinct_color(value))


def _unnamed(path: Path, why: str) -> BadFile:
    return BadFile(
        f"{path} does not say what the label values are called: {why}.",
        "It needs the columns 'index', a whole number, and 'name', with tabs between them. Correct it, or "
        "remove it.",
    )


def _color(text: str) -> Color | None:
    """#rrggbb as numbers from 0 to 1; None for anything else."""
    if not (text.startswith("#") and len(text) == 7):
        return None
    try:
        red, green, blue = (int(text[n : n + 2], 16) / 255 for n in (1, 3, 5))
    except ValueError:
        return None
    return red, green, blue
