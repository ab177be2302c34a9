"""Read a table that says something about slices: one row per case and slice, counted from 0."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ContrastiveSegLib.errors import BadFile

Value = TypeVar("Value")


def read_slice_table(
    path: Path, columns: Sequence[str], value_of: Callable[[dict[str, str]], Value], *, example: str
) -> dict[str, dict[int, Value]]:
    """Case name to slice number to what the row says.

    Args:
        columns: That must be there; "case" and "slice" among them.
        value_of: Makes a value of the other columns; may raise ValueError or KeyError.
        example: How the table should look, for errors.

    Raises:
        BadFile: Unreadable, a column is missing, a word is not understood, or two rows contradict each other.
    """
    values: dict[str, dict[int, Value]] = defaultdict(dict)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream, delimiter=_delimiter(stream.readline(), columns))
            stream.seek(0)
            if not set(columns) <= set(table.fieldnames or ()):
                raise BadFile(
                    f"{path} has the columns {', '.join(table.fieldnames or ()) or 'none'}.", example
                )
            for line in table:
                row = {column: line[column] or "" for column in columns}  # None where a line is short
                value = value_of(row)
                if values[row["case"]].setdefault(int(row["slice"]), value) != value:
                    raise BadFile(
                        f"{path}, line {table.line_num}: slice {row['slice']} of {row['case']} was flagged "
                        "otherwise before.",
                        "Keep one row for each slice.",
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path} cannot be read: {error}.", example) from error
    except (ValueError, KeyError) as error:
        raise BadFile(f"{path}, line {table.line_num}: {error} is not understood.", example) from error
    return values


def _delimiter(header: str, columns: Sequence[str]) -> str:
    """What stands between the columns: spreadsheets of some countries write semicolons."""
    split = {mark: {name.strip().strip('"') for name in header.split(mark)} for mark in ",;\t"}
    return next((mark for mark, names in split.items() if set(columns) <= names), ",")


def read_annotated_slices(path: Path) -> dict[str, tuple[int, ...]]:
    """Case name to the slices that count as annotated, ascending.

    Raises:
        BadFile: The table cannot be used.
    """
    table = read_slice_table(
        path, ("case", "slice"), lambda _: True,
        example="Give it the columns case,slice, with slices counted from 0 on the image's own grid.",
    )  # fmt: skip
    return {case: tuple(sorted(slices)) for case, slices in table.items()}
