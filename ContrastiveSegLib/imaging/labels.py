"""LabelTable: which number is which structure, with color and terminology."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.case_errors import one_line
from ContrastiveSegLib.imaging.colors import distinct_color

# Of int32, which label maps are where int16 is too small.
LARGEST_VALUE = 2**31 - 1
LONGEST_NAME = 200


@dataclass(frozen=True)
class Structure:
    """One structure of a label map.

    Args:
        value: The number of its voxels, 1 to LARGEST_VALUE.
        name: Kept on one line and without control characters, as tables and JSON need it.
        color: Red, green, blue, each 0...1; numbers that are none become the usual color.
        terminology: Slicer's TerminologyEntry, or "".

    Raises:
        BadSetting: The value or the name cannot be used.
    """

    value: int
    name: str
    color: tuple[float, float, float]
    terminology: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", one_line(self.name, longest=LONGEST_NAME))
        object.__setattr__(self, "terminology", one_line(self.terminology))
        if not all(math.isfinite(part) for part in self.color):
            object.__setattr__(self, "color", distinct_color(max(self.value, 1)))
        if not 1 <= self.value <= LARGEST_VALUE:
            raise BadSetting(
                f"The structure '{self.name}' has the label value {self.value}, but values go from 1 to "
                f"{LARGEST_VALUE} (0 is the background).",
                "Give the structure another label value.",
            )
        if not self.name.strip():
            raise BadSetting(f"The structure with label value {self.value} has no name.", "Give it a name.")


@dataclass(frozen=True)
class LabelTable:
    """The structures of a label map, each with its own value and name; 0 is the background.

    Names are compared without regard to case and surrounding spaces: "Liver" and "liver " are one structure.

    Raises:
        BadSetting: Two structures share a value or a name.
    """

    structures: tuple[Structure, ...]

    def __post_init__(self) -> None:
        for what, keys in (("label value", self.values), ("name", [_key(n) for n in self.names])):
            twice = sorted({str(key) for key in keys if list(keys).count(key) > 1})
            if twice:
                raise BadSetting(
                    f"Two structures share the {what} {twice[0]!r}.", f"Give each structure its own {what}."
                )

    @property
    def values(self) -> tuple[int, ...]:
        """The label values, in the order of the table."""
        return tuple(structure.value for structure in self.structures)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the table."""
        return tuple(structure.name for structure in self.structures)

    def by_value(self, value: int) -> Structure:
        """The structure with this label value.

        Raises:
            BadSetting: The table has no such value.
        """
        for structure in self.structures:
            if structure.value == value:
                return structure
        raise BadSetting(
            f"The label table has no value {value}, only {', '.join(map(str, self.values)) or 'background'}.",
            "Use a value of the table.",
        )

    def mapping_to(self, other: LabelTable) -> dict[int, int]:
        """Own value to the other table's value, by name; structures that the other lacks are absent."""
        theirs = {_key(structure.name): structure.value for structure in other.structures}
        return {s.value: theirs[_key(s.name)] for s in self.structures if _key(s.name) in theirs}

    @classmethod
    def merged(cls, *tables: LabelTable) -> LabelTable:
        """One table with the structures of all, matched by name, in order of appearance.

        A structure keeps its value unless another one took it before; then it gets the smallest free value.
        """
        found: dict[str, Structure] = {}
        for structure in itertools.chain.from_iterable(table.structures for table in tables):
            if _key(structure.name) not in found:
                value = free_value(structure.value, {s.value for s in found.values()})
                found[_key(structure.name)] = replace(structure, value=value)
        return cls(tuple(found.values()))

    @classmethod
    def default_for(cls, values: Iterable[int]) -> LabelTable:
        """A table for label maps without names: "structure 1" ...; a value always has the same color."""
        return cls(tuple(Structure(v, f"structure {v}", distinct_color(v)) for v in sorted(set(values))))

    def to_json(self) -> dict[str, Any]:
        """The form of labels.json."""
        return {"structures": [asdict(structure) for structure in self.structures]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelTable:
        """Read back what to_json() wrote.

        Raises:
            BadSetting: Something is missing or has the wrong type.
        """
        try:
            return cls(tuple(_structure_from_json(entry) for entry in data["structures"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadSetting(
                f"The label table cannot be understood: {type(error).__name__}: {error}.",
                "It needs 'structures', a list with 'value', 'name' and 'color' (three numbers from 0 to 1).",
            ) from error


def free_value(wanted: int, taken: set[int]) -> int:
    """The wanted value if nobody has it, else the smallest that is free."""
    return wanted if wanted not in taken else next(v for v in itertools.count(1) if v not in taken)


def same_name(one: str, other: str) -> bool:
    """Whether two names mean the same structure."""
    return _key(one) == _key(other)


def spelling_notes(names: Iterable[str]) -> tuple[str, ...]:
    """Say which names differ in capitals alone and are therefore one structure."""
    spelled: dict[str, dict[str, None]] = {}
    for name in names:
        spelled.setdefault(_key(name), {})[name.strip()] = None
    return tuple(
        f"{' and '.join(map(repr, several))} differ in capitals alone: they are one structure. If they are "
        "two, rename one of them."
        for several in spelled.values()
        if len(several) > 1
    )


def _structure_from_json(entry: Mapping[str, Any]) -> Structure:
    red, green, blue = (float(part) for part in entry["color"])
    if not all(0 <= part <= 1 for part in (red, green, blue)):
        raise ValueError(f"color {entry['color']}")
    return Structure(
        int(entry["value"]), str(entry["name"]), (red, green, blue), str(entry.get("terminology", ""))
    )


def _key(name: str) -> str:
    return name.strip().casefold()
