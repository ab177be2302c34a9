"""Damage the fields of a NIfTI header, in files that are compressed and in such that are not."""

from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np

from Testing.fuzz.bytes_mutators import ANY, Draw

# Name of the format in struct, and where the fields of that kind begin. Source: nifti1.h.
FIELDS = {
    "i": (0, 32),
    "h": (36, *range(40, 56, 2), 68, 70, 72, 74, 120, 252, 254),
    "f": (56, 60, 64, *range(76, 124, 4), 124, 128, 132, 136, *range(256, 328, 4)),
    "B": (39, 123, 344, 345, 346, 347, 348, 349),
}
EXTREMES = {
    "i": (0, 1, -1, 348, 540, 2**31 - 1, -(2**31)),
    "h": (0, 1, -1, 2, 3, 4, 5, 7, 8, 16, 64, 128, 256, 512, 768, 1024, 2304, 32767, -32768, 255),
    "f": (0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 1e-40, 2.0**31, 352.0, 1e9),
    "B": (0, 1, 49, 50, 110, 255),
}


def change_field(data: bytes, draw: Draw) -> bytes:
    """Put an extreme into a field of the header."""
    raw, is_compressed = _unpacked(data)
    kind = ("h", "h", "f", "f", "f", "i", "B")[int(draw.integers(7))]
    at = FIELDS[kind][int(draw.integers(len(FIELDS[kind])))]
    value = EXTREMES[kind][int(draw.integers(len(EXTREMES[kind])))]
    field = struct.pack(f"<{kind}", value)
    changed = raw[:at] + field + raw[at + len(field) :]
    return gzip.compress(changed, mtime=0) if is_compressed else changed


def change_inside(data: bytes, draw: Draw) -> bytes:
    """Damage the file below its compression."""
    raw, is_compressed = _unpacked(data)
    changed = ANY[int(draw.integers(len(ANY)))](raw, draw)
    return gzip.compress(changed, mtime=0) if is_compressed else changed


def _unpacked(data: bytes) -> tuple[bytes, bool]:
    if data[:2] != b"\x1f\x8b":
        return data, False
    try:
        return gzip.decompress(data), True
    except (OSError, EOFError, ValueError, zlib.error):
        # A second mutation of the same file: what is broken stays broken.
        return data, False


NIFTI = (change_field, change_field, change_field, change_inside)
