"""Walk through the elements of a DICOM file before GDCM does, which believes every length it reads.

Source: DICOM PS3.5, section 7 and annex A (data elements, transfer syntaxes), PS3.10, section 7 (files).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.header_limits import DeclaredSize, check_held, damaged, declared_size

Tag = tuple[int, int]

SUFFIXES = (".dcm", ".ima", ".dicom")
PREAMBLE = 128
MAGIC = b"DICM"
UNDEFINED = 0xFFFFFFFF
LONG_FORMS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
MOST_ELEMENTS = 500_000
DEEPEST = 64

ITEM, ITEM_END, SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
PIXELS = ((0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009))
SYNTAX, FRAMES = (0x0002, 0x0010), (0x0028, 0x0008)
SOP_CLASS, ENCRYPTED = (0x0008, 0x0016), (0x0400, 0x0500)
SERIES, MODALITY, MODEL_NAME = (0x0020, 0x000E), (0x0008, 0x0060), (0x0008, 0x1090)
TEXTS = (SYNTAX, SOP_CLASS, MODALITY, MODEL_NAME, FRAMES)
# The root of all classes that DICOM defines; others belong to manufacturers.
STANDARD = "1.2.840.10008."
SAMPLES, ROWS, COLUMNS, BITS = (0x0028, 0x0002), (0x0028, 0x0010), (0x0028, 0x0011), (0x0028, 0x0100)

# Modalities of files with labels: filled segments, and contours.
SEGMENTATION, CONTOURS = "SEG", "RTSTRUCT"

BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"

# A slice of one gray value compresses to almost nothing, real ones to a tenth.
MOST_COMPRESSION = 5000


def looks_like_dicom(path: Path) -> bool:
    """Whether a file says that it is DICOM: by its signature, or by its name where that was left out."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(PREAMBLE + len(MAGIC))[PREAMBLE:] == MAGIC
    except OSError:
        # Whoever opens it for its voxels says why it cannot be opened.
        return False


def screen_dicom(path: Path) -> DeclaredSize:
    """The declared size; nothing for a file without an image, or one that is compressed as a whole.

    Raises:
        BadFile: A length leads beyond the end of the file, or the image does not fit into it.
        OSError: The file cannot be opened.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        walk = _Walk(path, file, size)
        pixels = walk.run()
    found = walk.found
    if pixels is None or ROWS not in found or COLUMNS not in found:
        return DeclaredSize(0, 0, is_certain=walk.place >= size)
    frames = re.match(r"\s*(\d{1,9})", found.get(FRAMES, ""))
    sizes = (int(found[ROWS]), int(found[COLUMNS]), int(frames[1]) if frames else 1)
    samples, bits = int(found.get(SAMPLES, 1)), int(found.get(BITS, 16))
    promised = declared_size(sizes, samples, bits / 8)
    if pixels.length == UNDEFINED:
        check_held(path, promised.bytes, size - pixels.start, inflation=MOST_COMPRESSION)
    else:
        # Colors may be stored for every other pixel only.
        needed = promised.bytes * 2 // 3 if samples == 3 else promised.bytes
        check_held(path, needed, min(pixels.length, size - pixels.start))
    return promised


def what_is_there(path: Path) -> str:
    """What a DICOM file holds instead of an image, if its elements say so; else ""."""
    found, has_pixels = _elements_of(path)
    if ENCRYPTED in found and not has_pixels:
        return "encrypted; export it without encryption"
    if is_private_without_image(path):
        return f"a file of a private kind of its manufacturer ({found[SOP_CLASS]}), which holds no image"
    if not found.get(SYNTAX, STANDARD).startswith(STANDARD):
        return f"in a private form of its manufacturer ({found[SYNTAX]}); export it as standard DICOM"
    return ""


def is_private_without_image(path: Path) -> bool:
    """Whether a file is of a kind that DICOM does not define, such as scanners write beside their slices."""
    found, has_pixels = _elements_of(path)
    kind = found.get(SOP_CLASS, "")
    return bool(kind) and not kind.startswith(STANDARD) and not has_pixels


def _elements_of(path: Path) -> tuple[Mapping[Tag, str], bool]:
    """What the elements of a file say, of a damaged one its form alone, and whether there are pixels."""
    found: Mapping[Tag, str] = {}
    try:
        with path.open("rb") as file:
            walk = _Walk(path, file, path.stat().st_size)
            found = walk.found
            return found, walk.run() is not None
    except (BadFile, OSError):
        return {SYNTAX: found[SYNTAX]} if SYNTAX in found else {}, False


@dataclass(frozen=True)
class Reference:
    """What a file with labels says of itself.

    Args:
        modality: Such as "SEG".
        series: The UIDs of the series that its sequences refer to.
        program: The model name of what made it.
    """

    modality: str
    series: tuple[str, ...]
    program: str


def drawn_on(path: Path) -> Reference:
    """What a file was drawn on, and with what.

    Raises:
        BadFile: A length leads beyond the end of the file.
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        walk = _Walk(path, file, path.stat().st_size)
        walk.run()
    return Reference(
        walk.found.get(MODALITY, ""), tuple(dict.fromkeys(walk.series_inside)), walk.found.get(MODEL_NAME, "")
    )


@dataclass(frozen=True)
class _Element:
    """Where the value of an element lies in the file; its length may be undefined."""

    tag: Tag
    kind: bytes
    start: int
    length: int


@dataclass
class _Walk:
    """One way through a file, from element to element and down into sequences; `found` fills on the way.

    Args:
        series_inside: The UIDs of series that stand in sequences: those that the file refers to.
    """

    path: Path
    file: BinaryIO
    size: int
    found: dict[Tag, str] = field(default_factory=dict)
    series_inside: list[str] = field(default_factory=list)
    order: str = "<"
    is_explicit: bool = True
    count: int = 0
    place: int = 0

    def run(self) -> _Element | None:
        """Walk up to the pixels; None if there are none, or if the walk ends at what it does not know."""
        self.file.seek(PREAMBLE)
        place = PREAMBLE + len(MAGIC) if self.file.read(len(MAGIC)) == MAGIC else 0
        while self.bytes_at(place, 2) == b"\x02\0" and (element := self.element(place)):
            self.note(element)
            place = element.start + element.length
        syntax = self.found.get(SYNTAX, "")
        if syntax == DEFLATED:
            return None
        self.order = ">" if syntax == BIG_ENDIAN else "<"
        # Not what the syntax says: some files say one and are the other, and GDCM reads them.
        self.is_explicit = self.bytes_at(place + 4, 2).isalpha()
        while (element := self.element(place)) and element.tag not in PIXELS:
            self.note(element)
            after = self.after(element, 0)
            if after is None:
                return None
            place = after
        return element

    def element(self, place: int) -> _Element | None:
        """The element at a place; None at the end of the file or where no element can be.

        Raises:
            BadFile: Its length leads beyond the end of the file.
        """
        raw = self.bytes_at(place, 12)
        self.place, self.count = place, self.count + 1
        if len(raw) < 8 or self.count > MOST_ELEMENTS:
            return None
        group, number = struct.unpack_from(f"{self.order}2H", raw)
        kind, header = raw[4:6], 8
        if group == ITEM[0] or not (self.is_explicit or group == 0x0002):
            kind, length = b"", struct.unpack_from(f"{self.order}I", raw, 4)[0]
        elif not kind.isalpha():
            return None
        elif kind in LONG_FORMS:
            if len(raw) < 12:
                return None
            header, length = 12, struct.unpack_from(f"{self.order}I", raw, 8)[0]
        else:
            length = struct.unpack_from(f"{self.order}H", raw, 6)[0]
        if length != UNDEFINED and place + header + length > self.size:
            raise damaged(
                self.path,
                f"the element ({group:04x},{number:04x}) claims {length} bytes, of which "
                f"{self.size - place - header} are there",
            )
        return _Element((group, number), kind, place + header, length)

    def after(self, element: _Element, depth: int) -> int | None:
        """Where the next element begins; None if that cannot be told."""
        end = element.start + element.length if element.length != UNDEFINED else None
        if depth > DEEPEST:
            raise damaged(self.path, "its sequences lie too deep in one another")
        if end is not None and not self.has_items(element):
            return end
        was_explicit = self.is_explicit
        # What was kept as unknown is written the plain way inside.
        self.is_explicit = was_explicit and element.kind != b"UN"
        place = self.after_items(element.start, end, depth)
        self.is_explicit = was_explicit
        return place if end is None else end

    def after_items(self, place: int, end: int | None, depth: int) -> int | None:
        """Go through the items of a sequence, or through the elements of an item."""
        while end is None or place < end:
            element = self.element(place)
            if element is None:
                return None
            if element.tag in (ITEM_END, SEQUENCE_END):
                return element.start
            if element.tag == ITEM:
                stop = None if element.length == UNDEFINED else element.start + element.length
                after = self.after_items(element.start, stop, depth + 1)
            else:
                if element.tag == SERIES and element.length != UNDEFINED:
                    self.series_inside.append(self.text_of(element))
                after = self.after(element, depth + 1)
            if after is None:
                return None
            place = after
        return place

    def has_items(self, element: _Element) -> bool:
        """Whether a value of known length is a sequence; without kinds, by how it begins."""
        if element.kind not in (b"SQ", b"UN", b"") or element.length < 8:
            return False
        return struct.unpack(f"{self.order}2H", self.bytes_at(element.start, 4)) == ITEM

    def bytes_at(self, place: int, count: int) -> bytes:
        """Some bytes of the file, fewer at its end."""
        self.file.seek(place)
        return self.file.read(count)

    def text_of(self, element: _Element) -> str:
        """A short text without its padding."""
        return self.bytes_at(element.start, min(element.length, 128)).decode("latin-1").strip(" \0")

    def note(self, element: _Element) -> None:
        """Keep the values that say what kind of image it is, and how large."""
        if element.tag == ENCRYPTED:
            self.found[ENCRYPTED] = "yes"
        if element.tag not in (*TEXTS, SAMPLES, ROWS, COLUMNS, BITS) or element.length == UNDEFINED:
            return
        raw = self.bytes_at(element.start, min(element.length, 128))
        if element.tag in TEXTS:
            self.found[element.tag] = self.text_of(element)
        elif len(raw) >= 2:
            self.found[element.tag] = str(struct.unpack_from(f"{self.order}H", raw)[0])
