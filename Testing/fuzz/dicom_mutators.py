"""Damage DICOM files element by element: lengths, kinds, values, elements that are gone or there twice."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from Testing.fuzz.bytes_mutators import Draw, Mutator
from Testing.fuzz.text_mutators import EXTREMES, WORDS, encoded

LONG_FORMS = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF")
LENGTHS = (0, 1, 7, 65535, 100_000, 2**24, 2**31 - 2, 2**32 - 2, 2**32 - 1)


def _elements(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each element of a sound file begins, where its value does, and where it ends."""
    place = 132
    while place + 12 <= len(data):
        kind = data[place + 4 : place + 6]
        if kind in LONG_FORMS:
            start, length = place + 12, struct.unpack_from("<I", data, place + 8)[0]
        else:
            start, length = place + 8, struct.unpack_from("<H", data, place + 6)[0]
        if start + length > len(data):
            return
        yield place, start, start + length
        place = start + length


def _one(data: bytes, draw: Draw) -> tuple[int, int, int] | None:
    found = list(_elements(data))
    return found[int(draw.integers(len(found)))] if found else None


def change_length(data: bytes, draw: Draw) -> bytes:
    """Claim another length."""
    if (one := _one(data, draw)) is None:
        return data
    place, start, _ = one
    length = LENGTHS[int(draw.integers(len(LENGTHS)))]
    field = struct.pack("<I", length) if start - place == 12 else struct.pack("<H", length & 0xFFFF)
    return data[: start - len(field)] + field + data[start:]


def change_value(data: bytes, draw: Draw) -> bytes:
    """Another value, with the right length."""
    if (one := _one(data, draw)) is None:
        return data
    place, start, end = one
    text = (EXTREMES, WORDS)[int(draw.integers(2))]
    value = encoded(text[int(draw.integers(len(text)))])[:60_000]
    if data[place + 4 : place + 6] in (b"US", b"SS", b"UL"):
        value = draw.bytes(end - start)
    value += b" " * (len(value) % 2)
    field = struct.pack("<I" if start - place == 12 else "<H", len(value))
    return data[: start - len(field)] + field + value + data[end:]


def change_kind(data: bytes, draw: Draw) -> bytes:
    """Another value representation."""
    if (one := _one(data, draw)) is None:
        return data
    kinds = (b"SQ", b"OB", b"UN", b"US", b"DS", b"IS", b"??", b"\0\0", b"OW", b"UT")
    return data[: one[0] + 4] + kinds[int(draw.integers(len(kinds)))] + data[one[0] + 6 :]


def delete_element(data: bytes, draw: Draw) -> bytes:
    """Leave an element out."""
    one = _one(data, draw)
    return data if one is None else data[: one[0]] + data[one[2] :]


def double_element(data: bytes, draw: Draw) -> bytes:
    """Write an element again somewhere else."""
    one, other = _one(data, draw), _one(data, draw)
    return (
        data if one is None or other is None else data[: other[0]] + data[one[0] : one[2]] + data[other[0] :]
    )


DICOM: tuple[Mutator, ...] = (
    change_length, change_length, change_value, change_value, change_kind, delete_element, double_element,
)  # fmt: skip
