"""What the numbers of a label map say: by the names of its segments, or by a table of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.file_io.label_names import names_beside
from ContrastiveSegLib.imaging.label_values import (
    BACKGROUND,
    IGNORE,
    as_expected,
    check_values,
    default_table,
    renumber,
    unpainted,
    without_ignored,
)
from ContrastiveSegLib.imaging.labels import LabelTable, Structure, free_value, same_name
from ContrastiveSegLib.imaging.volume import Volume

GRAY = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class ReadLabels:
    """A label map (K, H, W) as in `LabelArray`, what its values mean, and what was remarkable about its file.

    Args:
        background: Which voxels (K, H, W) were painted as background on purpose; None if none were.
        unknown: Which voxels (K, H, W) are said to be unknown, called "ignore"; None if none are.
        nothing_drawn: Whether Slicer saved it before anything was drawn; where it lies says nothing then.
        rest_is_known: Whether a value says so, as nnU-Net's does: every other voxel then says something.
    """

    volume: Volume
    table: LabelTable
    notes: tuple[str, ...] = ()
    background: npt.NDArray[np.bool_] | None = None
    unknown: npt.NDArray[np.bool_] | None = None
    nothing_drawn: bool = False
    rest_is_known: bool = False


def named(
    volume: Volume, own: LabelTable, table: LabelTable | None, path: Path, notes: Sequence[str]
) -> ReadLabels:
    """What segments with names say."""
    array, own, background, unknown = as_expected(volume.array, own, table, path)
    unknown = unknown if unknown is not None and unknown.any() else None
    if unknown is not None:
        count = int(np.count_nonzero(unknown))
        notes = (*notes, f"{path.name}: {count} voxels are called '{IGNORE}' and say nothing.")
    return ReadLabels(Volume(array, volume.geometry), own, tuple(notes), background, unknown)


def numbered(
    volume: Volume, table: LabelTable | None, path: Path, *, scribbles: bool, ignored: int | None
) -> ReadLabels:
    """What plain numbers say."""
    beside = names_beside(path)
    if beside and ignored is None:
        ignored = next((s.value for s in beside.structures if same_name(s.name, IGNORE)), None)
    array, unknown = without_ignored(volume.array, ignored)
    array, background = unpainted(array) if scribbles else (array, None)
    own = beside or table or default_table(array, path)
    check_values(array, own, path)
    array, own = (renumber(array, beside, table, path), table) if beside and table else (array, own)
    own = LabelTable(tuple(s for s in own.structures if not same_name(s.name, IGNORE)))
    return ReadLabels(
        Volume(array, volume.geometry), own, (), background, unknown, rest_is_known=unknown is not None
    )


def as_segments(read: ReadLabels) -> tuple[Volume, LabelTable]:
    """The labels with painted background, and what is to be ignored, as segments of these names."""
    array, table = read.volume.array.copy(), read.table
    for name, where in ((BACKGROUND, read.background), (IGNORE, read.unknown)):
        if where is not None:
            value = free_value(1, set(table.values))
            array[where] = value
            table = LabelTable((*table.structures, Structure(value, name, GRAY)))
    return Volume(array, read.volume.geometry), table


def emptiness(path: Path, read: ReadLabels) -> tuple[str, ...]:
    """A note on a file that shows no structure and says nothing of that."""
    if read.volume.array.any() or read.background is not None or read.unknown is not None:
        return ()
    what = "nothing is drawn in it" if read.nothing_drawn else "all voxels are background"
    return (f"{path.name}: {what}.",)
