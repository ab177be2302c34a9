"""Look into the header of an MHA or MHD file before ITK does, whose reader trusts the number of axes.

Source: MetaIO, https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.file_io.header_limits import (
    LARGEST,
    LONGEST_FIELD,
    LONGEST_HEADER,
    MOST_AXES,
    MOST_INFLATION,
    Promise,
    check_count,
    check_held,
    check_numbers,
    damaged,
    promise,
    shown,
    sizes_of,
    voxel_files,
    whole_number,
)

LONGEST_NAME = 200
MOST_CHANNELS = 4096
DATA = "ElementDataFile"

BYTES_OF_TYPE = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR", "MET_ASCII_CHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_LONG", "MET_ULONG", "MET_FLOAT"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}
PER_AXIS = ("ElementSpacing", "ElementSize", "Offset", "Position", "Origin", "CenterOfRotation")
PER_PAIR_OF_AXES = ("TransformMatrix", "Rotation", "Orientation")
FOUR = ("Color", "SequenceID")


@dataclass(frozen=True)
class _Header:
    """The fields by name, the lines below them, and at which byte they end."""

    path: Path
    fields: Mapping[str, str]
    listed: tuple[str, ...]
    end: int

    def number(self, name: str, otherwise: str = "", *, low: int, high: int = LARGEST) -> int:
        """A whole number."""
        return whole_number(self.path, name, self.fields.get(name, otherwise), low=low, high=high)

    def says_yes(self, name: str) -> bool:
        """Whether a switch is on, as MetaIO reads it."""
        return self.fields.get(name, "")[:1] in ("T", "t", "1")


def is_meta(path: Path) -> bool:
    """Whether the name says MetaImage."""
    return path.name.lower().endswith((".mha", ".mhd"))


def screen_meta(path: Path) -> Promise:
    """What the header promises.

    Raises:
        BadFile: The header contradicts itself, its format, or the length of the file.
        OSError: The file cannot be opened.
    """
    header = _read(path)
    axes = header.number("NDims", low=1, high=MOST_AXES)
    sizes = sizes_of(path, "DimSize", header.fields.get("DimSize", "").split(), axes)
    for names, count in ((PER_AXIS, axes), (PER_PAIR_OF_AXES, axes**2), (FOUR, 4)):
        for name in names:
            if name in header.fields:
                check_count(path, name, header.fields[name].split(), count)
                check_numbers(path, name, header.fields[name].split())
    kind = header.fields.get("ElementType", "").removesuffix("_ARRAY")
    if kind not in BYTES_OF_TYPE:
        raise damaged(path, f"'ElementType' is {shown(kind)}")
    channels = header.number("ElementNumberOfChannels", "1", low=1, high=MOST_CHANNELS)
    promised = promise(sizes, channels, BYTES_OF_TYPE[kind])
    _check_length(header, promised)
    return promised


def meta_has_voxel_sizes(path: Path) -> bool:
    """Whether the header says how large a voxel is.

    Raises:
        BadFile: The header is damaged.
        OSError: The file cannot be opened.
    """
    return bool({"ElementSpacing", "ElementSize"} & set(_read(path).fields))


def voxels_beside_meta(path: Path) -> tuple[Path, ...]:
    """The files that hold the voxels; none if they follow the header.

    Raises:
        BadFile: The header is damaged, or one of these files is not there.
        OSError: The file cannot be opened.
    """
    return _voxels_beside(_read(path))


def _voxels_beside(header: _Header) -> tuple[Path, ...]:
    named = header.fields[DATA]
    return () if named.lower() == "local" else voxel_files(header.path, DATA, named, header.listed)


def _read(path: Path) -> _Header:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while DATA not in fields:
            line = file.readline(LONGEST_FIELD)
            # MetaIO takes either sign between name and value.
            name, *values = re.split("[=:]", line.decode("utf-8", "surrogateescape"), maxsplit=1)
            name = name.strip()
            if not line:
                raise damaged(path, f"'{DATA}' is missing")
            if len(line) == LONGEST_FIELD or len(name) > LONGEST_NAME or file.tell() > LONGEST_HEADER:
                raise damaged(path, f"the line {shown(name)} is too long")
            if not line.strip():
                continue
            if not values or name in fields:
                raise damaged(path, f"the line {shown(name)} is {'there twice' if values else 'no field'}")
            fields[name] = values[0].strip()
        end = file.tell()
        listed = file.read(LONGEST_HEADER) if fields[DATA].startswith("LIST") else b""
    return _Header(path, fields, tuple(listed.decode("utf-8", "surrogateescape").splitlines()), end)


def _check_length(header: _Header, promised: Promise) -> None:
    """Whether the file, or those that hold its voxels, are long enough."""
    path, beside = header.path, _voxels_beside(header)
    held = sum(file.stat().st_size for file in beside) if beside else path.stat().st_size - header.end
    held -= max(header.number("HeaderSize", "0", low=-1), 0)
    if header.says_yes("CompressedData"):
        stored = header.number("CompressedDataSize", "0", low=0)
        check_held(path, stored, held)
        check_held(path, promised.bytes, held, inflation=MOST_INFLATION)
    elif "BinaryData" in header.fields and not header.says_yes("BinaryData"):
        check_held(path, 2 * promised.voxels - 1, held)  # a digit and a blank each
    else:
        check_held(path, promised.bytes, held)
