"""Look into an NRRD header before ITK does, whose reader trusts the lengths of its lists.

Source: Definition of NRRD file format, http://teem.sourceforge.net/nrrd/format.html
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
from ContrastiveSegLib.file_io.kept_headers import kept_while_unchanged
from ContrastiveSegLib.file_io.text_header import TextHeader, names_below

MAGIC = b"NRRD000"
DATA = "data file"
SIZES = frozenset({"spacings", "space directions"})
LONGEST_LINE = 1 << 20
SPACE_AXES = 3

BYTES_OF_TYPE = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), 4),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), 8),
    **dict.fromkeys(("signed long long int", "ulonglong", "unsigned long long"), 8),
    **dict.fromkeys(("unsigned long long int", "uint64", "uint64_t", "double"), 8),
}
AXES_OF_SPACE = {
    **dict.fromkeys(("right-anterior-superior", "left-anterior-superior", "left-posterior-superior"), 3),
    **dict.fromkeys(("ras", "las", "lps", "scanner-xyz", "3d-right-handed", "3d-left-handed"), 3),
    **dict.fromkeys(("right-anterior-superior-time", "left-anterior-superior-time"), 4),
    **dict.fromkeys(("left-posterior-superior-time", "rast", "last", "lpst", "scanner-xyz-time"), 4),
    **dict.fromkeys(("3d-right-handed-time", "3d-left-handed-time"), 4),
}
INFLATION = {"raw": 1, "gzip": MOST_INFLATION, "gz": MOST_INFLATION, "bzip2": 50_000, "bz2": 50_000}

# Lists with one value for each axis.
IN_WORDS = ("spacings", "thicknesses", "axis mins", "axis maxs", "centers", "centerings", "kinds")
IN_QUOTES = ("labels", "units")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
VECTOR = re.compile(r"\([^()]*\)|none")
SPELLINGS = {
    "datafile": "data file",
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
    "lineskip": "line skip",
    "byteskip": "byte skip",
}


def is_nrrd(path: Path) -> bool:
    """Whether the name says NRRD."""
    return has_format(path.name, "nrrd_header")


def screen(path: Path) -> DeclaredSize:
    """The size that the header declares.

    Raises:
        BadFile: The header contradicts itself, its format, or the length of the file.
        OSError: The file cannot be opened.
    """
    header = read_nrrd_header(path)
    axes = header.number("dimension", low=1, high=MOST_AXES)
    sizes = sizes_of(path, "sizes", header.needed("sizes").split(), axes)
    kind = " ".join(header.needed("type").lower().split())
    if kind not in BYTES_OF_TYPE:
        raise damaged(path, f"'type' is {shown(kind)}")
    _check_axes(header, axes)
    _check_space(header, axes)
    _check_sizes_of_voxels(header, axes)
    promised = declared_size(sizes, 1, BYTES_OF_TYPE[kind])
    _check_length(header, promised)
    return promised


def has_axis_of_frames(path: Path) -> bool:
    """Whether an NRRD file has an axis of kind "list" and label "frame", as Slicer writes for sequences.

    Read here, because not every SimpleITK gives the labels of axes: Slicer's does not.

    Raises:
        BadFile: The header is damaged.
    """
    fields = read_nrrd_header(path).fields if is_nrrd(path) else {}
    labels = [label.strip('"') for label in QUOTED.findall(fields.get("labels", ""))]
    return ("list", "frame") in zip(fields.get("kinds", "").lower().split(), labels, strict=False)


@kept_while_unchanged
def read_nrrd_header(path: Path) -> TextHeader:
    """The fields of a header; "key:=value" pairs are left out.

    Raises:
        BadFile: The header is damaged.
        OSError: The file cannot be opened.
    """
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        if not file.readline(LONGEST_FIELD).startswith(MAGIC):
            raise damaged(path, "it does not begin as NRRD does")
        while line := file.readline(LONGEST_LINE).rstrip(b"\r\n"):
            name, colon, value = line.decode("latin-1").partition(":")
            is_pair = value.startswith("=") or name.startswith("#")
            if len(line) >= (LONGEST_LINE - 1 if is_pair else LONGEST_FIELD) or file.tell() > LONGEST_HEADER:
                raise damaged(path, f"the line {shown(name)} is too long")
            name = SPELLINGS.get(name.strip().lower(), name.strip().lower())
            if is_pair:
                continue
            if not colon or name in fields:
                raise damaged(path, f"the line {shown(name)} is {'there twice' if colon else 'no field'}")
            fields[name] = value.strip()
            if name == DATA and fields[name].startswith("LIST"):
                break  # the names follow, up to the end
        end = file.tell()
        listed = file.read(LONGEST_HEADER) if fields.get(DATA, "").startswith("LIST") else b""
    return TextHeader(path, fields, names_below(listed), end, DATA, SIZES)


def _check_axes(header: TextHeader, axes: int) -> None:
    for name in IN_WORDS:
        if name in header.fields:
            check_count(header.path, name, header.fields[name].split(), axes)
    for name in IN_QUOTES:
        if name in header.fields:
            check_count(header.path, name, QUOTED.findall(header.fields[name]), axes)


def _check_sizes_of_voxels(header: TextHeader, axes: int) -> None:
    """Three axes have a size, if the header speaks of sizes: NaN stands for the axis of channels alone."""
    for name, words in (
        ("spacings", header.fields.get("spacings", "").split()),
        ("space directions", VECTOR.findall(header.fields.get("space directions", ""))),
    ):
        sized = [word for word in words if word != "none" and word.lower() not in ("nan", "-nan")]
        check_numbers(header.path, name, [part for word in sized for part in _parts(word)])
        if words and len(sized) < min(axes, SPACE_AXES):
            raise damaged(header.path, f"'{name}' gives a size for {len(sized)} axes only")
    origin = header.fields.get("space origin", "")
    check_numbers(header.path, "space origin", origin.strip("()").split(",") if origin else [])


def _parts(word: str) -> list[str]:
    """The numbers of a vector "(1,0,0)", or the number itself: "1,5" is none."""
    return word[1:-1].split(",") if word.startswith("(") else [word]


def _check_space(header: TextHeader, axes: int) -> None:
    """Directions and origin are vectors with a number for each axis of the space."""
    space = header.fields.get("space", "").lower()
    if space and space not in AXES_OF_SPACE:
        raise damaged(header.path, f"'space' is {shown(space)}")
    if "space dimension" in header.fields:
        space_axes = header.number("space dimension", low=1, high=MOST_AXES)
    else:
        space_axes = AXES_OF_SPACE.get(space, axes)
    if "space units" in header.fields:
        check_count(header.path, "space units", QUOTED.findall(header.fields["space units"]), space_axes)
    for name, count in {"space directions": axes, "space origin": 1, "measurement frame": space_axes}.items():
        text = header.fields.get(name)
        if text is not None:
            vectors = VECTOR.findall(text)
            check_count(header.path, name, vectors, count)
            if VECTOR.sub("", text).strip():
                raise damaged(header.path, f"'{name}' is {shown(text)}")
            for vector in vectors:
                if vector != "none":
                    check_count(header.path, name, vector.split(","), space_axes)


def _check_length(header: TextHeader, promised: DeclaredSize) -> None:
    """Whether the file, or those that hold its voxels, are long enough."""
    path, encoding = header.path, header.needed("encoding").lower()
    skips = [
        header.number(name, low=-1, high=LONGEST_HEADER)
        for name in ("line skip", "byte skip")
        if name in header.fields
    ]
    held = header.bytes_held() - max([0, *skips])
    if encoding in ("txt", "text", "ascii"):
        check_held(path, 2 * promised.voxels - 1, held)  # a digit and a blank each
    elif encoding == "hex":
        check_held(path, 2 * promised.bytes, held)
    elif encoding in INFLATION:
        check_held(path, promised.bytes, held, inflation=INFLATION[encoding])
    else:
        raise damaged(path, f"'encoding' is {shown(encoding)}")
