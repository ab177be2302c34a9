"""Names of label values that stand in a table beside the file: `_dseg.tsv` of BIDS.

Source: Brain Imaging Data Structure 1.10, discrete segmentations, and the inheritance principle.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.imaging.colors import Color, distinct_color
from ContrastiveSegLib.imaging.labels import LabelTable, Structure

DSEG = "_dseg"
ROOT_FILE = "dataset_description.json"
MOST_FOLDERS = 6  # from a file to the root of its data set: derivatives, pipeline, subject, session, kind


def names_beside(path: Path) -> LabelTable | None:
    """The structures that a table names for a label map; None if there is no table.

    Raises:
        BadFile: The table cannot be understood.
    """
    stem = split_suffix(path.name)[0]
    if not stem.endswith(DSEG):
        return None
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
            rows = list(csv.DictReader(stream, delimiter="\t"))
        if not rows:
            raise ValueError("it has no rows")
        named = [(int(row["index"]), row["name"], row.get("color") or "") for row in rows]
        found = [(value, name, color) for value, name, color in named if value > 0]
        return LabelTable(
            tuple(Structure(v, name, _color(color) or distinct_color(v)) for v, name, color in found)
        )
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError, BadSetting) as error:
        raise BadFile(
            f"{path} does not say what the label values are called ({type(error).__name__}: {error}).",
            "It needs the columns 'index', a whole number, and 'name'. Correct it, or remove it.",
        ) from error


def _color(text: str) -> Color | None:
    """#rrggbb as numbers from 0 to 1; None for anything else."""
    if not (text.startswith("#") and len(text) == 7):
        return None
    red, green, blue = (int(text[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return red, green, blue
