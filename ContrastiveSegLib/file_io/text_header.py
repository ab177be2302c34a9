"""A header of named fields, as of MetaImage and NRRD: its voxels follow it, or lie in files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.file_io.header_limits import LARGEST, damaged, voxel_files, whole_number


@dataclass(frozen=True)
class TextHeader:
    """What was read of a header.

    Args:
        fields: Values by name.
        listed: The lines below the fields, which may name files.
        end: The byte at which the header ends.
        data_field: The name of the field that says which files hold the voxels.
        size_fields: The fields that can say how large a voxel is.
    """

    path: Path
    fields: Mapping[str, str]
    listed: tuple[str, ...]
    end: int
    data_field: str
    size_fields: frozenset[str]

    def needed(self, name: str) -> str:
        """A field that must be there.

        Raises:
            BadFile: It is not.
        """
        if name not in self.fields:
            raise damaged(self.path, f"'{name}' is missing")
        return self.fields[name]

    def number(self, name: str, otherwise: str | None = None, *, low: int, high: int = LARGEST) -> int:
        """A whole number; one that has no other value must be there.

        Raises:
            BadFile: It is not there, no whole number, or beyond the limits.
        """
        text = self.needed(name) if otherwise is None else self.fields.get(name, otherwise)
        return whole_number(self.path, name, text, low=low, high=high)

    def has_voxel_sizes(self) -> bool:
        """Whether the header says how large a voxel is."""
        return bool(self.size_fields & set(self.fields))

    def voxels_beside(self) -> tuple[Path, ...]:
        """The files that hold the voxels; none if they follow the header.

        Raises:
            BadFile: One of these files is not there.
        """
        named = self.fields.get(self.data_field)
        return () if named is None else voxel_files(self.path, self.data_field, named, self.listed)

    def bytes_held(self) -> int:
        """How many bytes there are for voxels, in this file or in those beside it.

        Raises:
            BadFile: One of these files is not there.
        """
        beside = self.voxels_beside()
        if beside:
            return sum(file.stat().st_size for file in beside)
        return self.path.stat().st_size - self.end


def names_below(raw: bytes) -> tuple[str, ...]:
    """The names of files that follow a header, one in each line."""
    return tuple(raw.decode("utf-8", "surrogateescape").splitlines())
