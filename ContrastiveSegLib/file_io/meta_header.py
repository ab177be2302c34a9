"""Look into the header of an MHA or MHD file before ITK does, whose reader trusts the number of axes.

Source: MetaIO, https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import re
from pathlib import Path

from ContrastiveSegLib.file_io.formats import has_format
from ContrastiveSegLib.file_io.header_limits import (
    LONGEST_FIELD,
    LONGEST_HEADER,
    MOST_AXES,
    MOST_INFLATION,
    DeclaredSize,
    check_count,
    check_held,
    check_numbers,
    damaged,
    declared_size,
    shown,
    sizes_of,
)
from ContrastiveSegLib.file_io.text_header import TextHeader, names_below

LONGEST_NAME = 200
MOST_CHANNELS = 4096
DATA = "ElementDataFile"
SIZES = frozenset({"ElementSpacing", "ElementSize"})

BYTES_OF_TYPE = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR", "MET_ASCII_CHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_LONG", "MET_ULONG", "MET_FLOAT"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}
PER_AXIS = ("ElementSpacing", "ElementSize", "Offset", "Position", "Origin", "CenterOfRotation")
PER_PAIR_OF_AXES = ("TransformMatrix", "Rotation", "Orientation")
FOUR = ("Color", "SequenceID")


def is_meta(path: Path) -> bool:
    """Whether the name says MetaImage."""
    return has_format(path.name, "meta_header")


def screen(path: Path) -> DeclaredSize:
    """The size that the header declares.

    Raises:
        BadFile: The header contradicts itself, its format, or the length of the file.
        OSError: The file cannot be opened.
    """
    header = read_meta_header(path)
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
    promised = declared_size(sizes, channels, BYTES_OF_TYPE[kind])
    _check_length(header, promised)
    return promised


def read_meta_header(path: Path) -> TextHeader:
    """The fields of a header.

    Raises:
        BadFile: The header is damaged.
        OSError: The file cannot be opened.
    """
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
    if fields[DATA].lower() == "local":
        del fields[DATA]
    return TextHeader(path, fields, names_below(listed), end, DATA, SIZES)


def _check_length(header: TextHeader, promised: DeclaredSize) -> None:
    """Whether the file, or those that hold its voxels, are long enough."""
    path, held = header.path, header.bytes_held()
    held -= max(header.number("HeaderSize", "0", low=-1), 0)
    if _is_on(header, "CompressedData"):
        stored = header.number("CompressedDataSize", "0", low=0)
        check_held(path, stored, held)
        check_held(path, promised.bytes, held, inflation=MOST_INFLATION)
    elif "BinaryData" in header.fields and not _is_on(header, "BinaryData"):
        check_held(path, 2 * promised.voxels - 1, held)  # a digit and a blank each
    else:
        check_held(path, promised.bytes, held)


def _is_on(header: TextHeader, name: str) -> bool:
    """Whether a switch is on, as MetaIO reads it."""
    return header.fields.get(name, "")[:1] in ("T", "t", "1")
