"""What the numbers of a label map mean: whole numbers, each a structure of the table, or background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.label_array import LabelArray, label_type, translated, values_in
from ContrastiveSegLib.imaging.labels import LARGEST_VALUE, LabelTable, same_name

# Class indices are int16; and a file with more values is no label map.
MOST_STRUCTURES = 32767

# Painted voxels of a segment with this name are background.
BACKGROUND = "background"
# Nothing is known of voxels of this name: they are neither structure nor background.
# Source: nnU-Net 2, documentation/ignore_label.md, which reserves it.
IGNORE = "ignore"
# The class index of voxels that are not annotated: losses and measures leave them out.
IGNORE_LABEL = -1
# So far from a whole number a label value may lie; farther where a file says how coarsely it scales.
ROUNDED, MOST_ROUNDED = 1e-3, 0.05

WHOLE = "Save the labels as whole numbers: 0 for the background, 1, 2, 3 ... for the structures."


def whole_numbers(
    array: npt.NDArray[Any], path: Path, *, step: float = 0.0
) -> tuple[LabelArray, tuple[str, ...]]:
    """The label values as they are kept, and a note if they had to be rounded.

    Numbers that were scaled when they were written come back as 0.99998.

    Args:
        step: Between two numbers that the file can hold, where it holds scaled ones.

    Raises:
        BadFile: Fractions, negative or too large numbers.
    """
    notes: tuple[str, ...] = ()
    if np.iscomplexobj(array):
        raise BadFile(f"{path} holds complex numbers.", WHOLE)
    if not np.issubdtype(array.dtype, np.integer):
        array, notes = _rounded(array, path, max(ROUNDED, min(0.51 * step, MOST_ROUNDED)))
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high > LARGEST_VALUE:
        wrong = low if low < 0 else high
        raise BadFile(
            f"{path} has the label value {wrong:.12g}, but values go from 0 to {LARGEST_VALUE}.", WHOLE
        )
    return array.astype(label_type(int(high))), notes


def _rounded(
    array: npt.NDArray[Any], path: Path, tolerance: float
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    rounded = np.round(array)
    off = array != rounded  # NaN differs from itself and is found, too
    if not off.any():
        return array, ()
    broken = array[off & ~(np.abs(array - rounded) <= tolerance)]
    if broken.size:
        raise BadFile(f"{path} has {broken.size} fractional label values, for example {broken[0]:g}.", WHOLE)
    count, example = np.count_nonzero(off), array[off][0]
    return rounded, (f"{path.name}: {count} label values such as {example:.7g} were rounded.",)


def default_table(array: LabelArray, path: Path) -> LabelTable:
    """A table for a label map without names.

    Raises:
        BadFile: It has more values than anybody has structures.
    """
    values = values_in(array)
    if len(values) > MOST_STRUCTURES:
        raise BadFile(
            f"{path} has {len(values)} different values: it looks like an image, not like labels.", WHOLE
        )
    return LabelTable.default_for(values)


def check_values(array: LabelArray, table: LabelTable, path: Path) -> None:
    """Refuse label values that the table does not have.

    Raises:
        BadFile: The values, and the structures of the table.
    """
    unknown = sorted(set(values_in(array)) - set(table.values))
    if unknown:
        known = ", ".join(f"{s.value} {s.name}" for s in table.structures)
        raise BadFile(
            f"{path} has label values that the label table lacks: {', '.join(map(str, unknown))} (known: 0 "
            f"background, {known}).",
            "Correct the labels, or add these structures to the label table.",
        )


def renumber(array: LabelArray, own: LabelTable, table: LabelTable, path: Path) -> LabelArray:
    """Give each structure the value that the table has for its name.

    Raises:
        BadFile: Structures that occur in the label map and are not in the table.
    """
    mapping = own.mapping_to(table)
    used = set(values_in(array))
    unknown = [s.name for s in own.structures if s.value in used and s.value not in mapping]
    if unknown:
        raise BadFile(
            f"{path} has structures that the label table lacks: {', '.join(unknown)} (known: "
            f"{', '.join(table.names)}).",
            "Rename these segments, or add them to the label table.",
        )
    return translated(array, mapping)


def as_expected(
    array: LabelArray, own: LabelTable, table: LabelTable | None, path: Path
) -> tuple[LabelArray, LabelTable, npt.NDArray[np.bool_] | None, npt.NDArray[np.bool_] | None]:
    """Named structures with the values of the table, if there is one.

    Segments called "background" and "ignore" are no structures; their voxels become 0.

    Returns:
        The label map, its table, where background was painted, and where nothing is known; None without
        such a segment.

    Raises:
        BadFile: As in `renumber`.
    """
    background, unknown = (_painted_as(name, array, own) for name in (BACKGROUND, IGNORE))
    array = _without(_without(array, background), unknown)
    own = LabelTable(tuple(s for s in own.structures if not says_no_structure(s.name)))
    array, own = (array, own) if table is None else (renumber(array, own, table, path), table)
    return array, own, background, unknown


def says_no_structure(name: str) -> bool:
    """Whether a segment of this name says something else than where a structure is."""
    return same_name(name, BACKGROUND) or same_name(name, IGNORE)


def _painted_as(name: str, array: LabelArray, own: LabelTable) -> npt.NDArray[np.bool_] | None:
    value = next((s.value for s in own.structures if same_name(s.name, name)), None)
    return None if value is None else array == value


def _without(array: LabelArray, where: npt.NDArray[np.bool_] | None) -> LabelArray:
    return array if where is None else np.where(where, array.dtype.type(0), array)


def without_ignored(
    array: LabelArray, ignored: int | None
) -> tuple[LabelArray, npt.NDArray[np.bool_] | None]:
    """The label map with 0 instead of the value that says nothing, and where that was; None if nowhere."""
    unknown = array == ignored if ignored is not None else None
    if unknown is None or not unknown.any():
        return array, None
    return _without(array, unknown), unknown


def unpainted(array: LabelArray) -> tuple[LabelArray, npt.NDArray[np.bool_] | None]:
    """The scribbles in an integer volume, whose commonest value means: not painted.

    Returns:
        The label map with 0 there, and where 0 was painted background; None if 0 is the commonest value.
    """
    values, counts = np.unique(array, return_counts=True)
    commonest = int(values[counts.argmax()])
    if commonest == 0:
        return array, None
    return _without(array, array == commonest), array == 0


def class_indices(values: npt.NDArray[Any], table: LabelTable) -> LabelArray:
    """Label values to class indices: 0 background, then 1, 2, ... in the order of the table."""
    return translated(values, {value: index for index, value in enumerate(table.values, start=1)})
