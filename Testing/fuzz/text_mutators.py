"""Damage text: lines doubled or gone, numbers at their extremes, words too long or of another kind."""

from __future__ import annotations

import re

from Testing.fuzz.bytes_mutators import Draw, Mutator

EXTREMES = (
    "0", "-1", "1", "nan", "NaN", "inf", "-inf", "1e30", "-1e30", "1e308", "1e-320", "2147483648",
    "4294967296", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "65536", "1000000",
    "0.0000001", "",    "abc", "0x10", "1_0", "٣", "1,5", "--1",
)  # fmt: skip
WORDS = (
    "", "x" * 300, "y" * 70_000, "Größe", "肝臓", "a\nb", "a\rb", "a\tb", "\x00", "\x1b[31m", "%s%n",
    "../../x",     "/etc/passwd", "CON", "\ud800", "{}", "'; --", " ", "=",
)  # fmt: skip
NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def encoded(text: str) -> bytes:
    """Also what is no text."""
    return text.encode("utf-8", "surrogatepass")


def head_of(data: bytes) -> tuple[bytes, bytes]:
    """The text at the beginning of a file, and the voxels behind it."""
    for end in (b"\n\n", b"ElementDataFile = LOCAL\n"):
        head, found, rest = data.partition(end)
        if found:
            return head + found, rest
    return data, b""


def _lines(data: bytes) -> tuple[list[bytes], bytes]:
    head, rest = head_of(data)
    return head.splitlines(keepends=True), rest


def number_to_extreme(data: bytes, draw: Draw) -> bytes:
    """Put an extreme in the place of a number."""
    head, rest = head_of(data)
    found = list(NUMBER.finditer(head))
    if not found:
        return data
    one = found[int(draw.integers(len(found)))]
    return head[: one.start()] + encoded(str(draw.choice(EXTREMES))) + head[one.end() :] + rest


def word_to_odd(data: bytes, draw: Draw) -> bytes:
    """Put something odd in the place of a value."""
    lines, rest = _lines(data)
    at = int(draw.integers(len(lines))) if lines else 0
    for line in lines[at : at + 1]:
        name, sign, _ = (
            re.split(rb"([:=,]+)", line, maxsplit=1) if re.search(rb"[:=,]", line) else (line, b"", b"")
        )
        lines[at] = name + sign + b" " + encoded(WORDS[int(draw.integers(len(WORDS)))]) + b"\n"
    return b"".join(lines) + rest


def double_line(data: bytes, draw: Draw) -> bytes:
    """Write a line again, at once or somewhere else."""
    lines, rest = _lines(data)
    if lines:
        lines.insert(int(draw.integers(len(lines))), lines[int(draw.integers(len(lines)))])
    return b"".join(lines) + rest


def delete_line(data: bytes, draw: Draw) -> bytes:
    """Leave a line out."""
    lines, rest = _lines(data)
    if lines:
        del lines[int(draw.integers(len(lines)))]
    return b"".join(lines) + rest


def exchange_lines(data: bytes, draw: Draw) -> bytes:
    """Let two lines change places."""
    lines, rest = _lines(data)
    if lines:
        a, b = draw.integers(len(lines), size=2)
        lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines) + rest


def list_length(data: bytes, draw: Draw) -> bytes:
    """Make the list of a line longer or shorter."""
    lines, rest = _lines(data)
    at = int(draw.integers(len(lines))) if lines else 0
    for line in lines[at : at + 1]:
        words = line.split()
        times = int(draw.choice([0, 2, 5, 17, 150, 3000]))
        lines[at] = b" ".join([*words[:-1], *words[-1:] * times]) + b"\n"
    return b"".join(lines) + rest


TEXT: tuple[Mutator, ...] = (
    number_to_extreme, number_to_extreme, number_to_extreme, word_to_odd, word_to_odd,
    double_line, delete_line,     exchange_lines, list_length, list_length,
)  # fmt: skip
