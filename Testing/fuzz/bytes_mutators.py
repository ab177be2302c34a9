"""Damage any file: bits, bytes and pieces, as disks, networks and editors do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Draw = np.random.Generator
Mutator = Callable[[bytes, Draw], bytes]

# Most of what can go wrong stands at the beginning.
HEAD = 600


def place(data: bytes, draw: Draw) -> int:
    """A byte of the file, more often one of its head."""
    return int(draw.integers(0, max(1, min(len(data), HEAD) if draw.random() < 0.7 else len(data))))


def flip_bits(data: bytes, draw: Draw) -> bytes:
    """Turn one to eight bits over."""
    changed = bytearray(data)
    for _ in range(int(draw.integers(1, 9)) if data else 0):
        changed[place(data, draw)] ^= 1 << int(draw.integers(8))
    return bytes(changed)


def set_bytes(data: bytes, draw: Draw) -> bytes:
    """Set one to eight bytes in a row to nothing, to all, or to anything."""
    at, count = place(data, draw), int(draw.integers(1, 9))
    value = (b"\0" * count, b"\xff" * count, draw.bytes(count))[int(draw.integers(3))]
    return data[:at] + value + data[at + count :]


def truncate(data: bytes, draw: Draw) -> bytes:
    """Cut the file off."""
    return data[: place(data, draw)]


def insert(data: bytes, draw: Draw) -> bytes:
    """Put up to 64 bytes in between."""
    at = place(data, draw)
    return data[:at] + draw.bytes(int(draw.integers(1, 65))) + data[at:]


def delete(data: bytes, draw: Draw) -> bytes:
    """Take up to 64 bytes out."""
    at = place(data, draw)
    return data[:at] + data[at + int(draw.integers(1, 65)) :]


def repeat(data: bytes, draw: Draw) -> bytes:
    """Write a piece twice or many times."""
    at, count = place(data, draw), int(draw.integers(1, 200))
    return data[:at] + data[at : at + count] * int(draw.choice([2, 3, 50])) + data[at + count :]


def extend(data: bytes, draw: Draw) -> bytes:
    """Append what does not belong there."""
    return data + draw.bytes(int(draw.integers(1, 2000)))


def exchange(data: bytes, draw: Draw) -> bytes:
    """Let two pieces change places."""
    a, b = sorted((place(data, draw), place(data, draw)))
    count = min(int(draw.integers(1, 65)), b - a)
    return data[:a] + data[b : b + count] + data[a + count : b] + data[a : a + count] + data[b + count :]


def empty(_data: bytes, _draw: Draw) -> bytes:
    """Leave a file without content."""
    return b""


ANY: tuple[Mutator, ...] = (
    flip_bits, flip_bits, set_bytes, set_bytes, truncate, insert, delete, repeat, extend, exchange, empty,
)  # fmt: skip
