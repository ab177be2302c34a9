"""Check that voxels are labels: whole numbers, each with a structure in the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.volumes.labels import LARGEST_VALUE, LabelTable


def whole_numbers(array: npt.NDArray[Any], path: Path) -> npt.NDArray[np.int16]:
    """The label values as int16.

    Raises:
        BadFile: Fractions, negative or too large numbers.
    """
    remedy = "Save the labels as whole numbers: 0 for the background, 1, 2, 3 ... for the structures."
    if not np.issubdtype(array.dtype, np.integer):
        broken = array[array != np.round(array)]  # NaN differs from itself and is found, too
        if broken.size:
            raise BadFile(
                f"{path} has {broken.size} fractional label values, for example {broken[0]:g}.", remedy
            )
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high > LARGEST_VALUE:
        wrong = low if low < 0 else high
        raise BadFile(
            f"{path} has the label value {wrong:g}, but values go from 0 to {LARGEST_VALUE}.", remedy
        )
    return array.astype(np.int16)


def values_in(array: npt.NDArray[Any]) -> list[int]:
    """The label values that occur, without the background."""
    present = np.zeros(LARGEST_VALUE + 1, bool)
    present[array] = True  # a table of occurrences is much faster than sorting all voxels
    return (np.flatnonzero(present[1:]) + 1).tolist()


def check_values(array: npt.NDArray[np.int16], table: LabelTable, path: Path) -> None:
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


def renumber(
    array: npt.NDArray[np.int16], own: LabelTable, table: LabelTable, path: Path
) -> npt.NDArray[np.int16]:
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
    values = np.zeros(max(own.values) + 1, np.int16)
    for value, wanted in mapping.items():
        values[value] = wanted
    renumbered: npt.NDArray[np.int16] = values[array]
    return renumbered
