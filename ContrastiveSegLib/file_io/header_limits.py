"""What any header may say: lists of the right length, numbers in range, and voxels that the file can hold."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.errors import BadFile

EXPORT_AGAIN = "Copy or export the file again, or leave this case out."

# ITK's readers reserve fixed places for the axes of an image and for a field of the header.
MOST_AXES = 7
LARGEST = 2**31 - 1
LONGEST_FIELD = 8_000
LONGEST_HEADER = 1 << 24
MOST_FILES = 100_000

# Deflate, which gzip and zlib write, makes at most 1032 bytes of one.
MOST_INFLATION = 1032

PATTERN = re.compile(r"[^%]*%0?\d{0,2}d[^%]*")


@dataclass(frozen=True)
class DeclaredSize:
    """The size that a header declares.

    Args:
        voxels: Numbers in all voxels together.
        bytes: Their bytes, uncompressed.
        is_certain: Whether the header was understood to its end.
    """

    voxels: int
    bytes: int
    is_certain: bool = True


def damaged(path: Path, what: str) -> BadFile:
    """The error for a header that contradicts itself, its format, or the length of its file."""
    return BadFile(f"{path} has a damaged header: {what}.", EXPORT_AGAIN)


def whole_number(path: Path, field: str, text: str, *, low: int, high: int = LARGEST) -> int:
    """A whole number within limits.

    Raises:
        BadFile: It is none, or beyond the limits.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise damaged(path, f"'{field}' is {shown(text)}, not a whole number")
    number = int(text)
    if not low <= number <= high:
        raise damaged(path, f"'{field}' is {shown(text)}, not a number from {low} to {high}")
    return number


def sizes_of(path: Path, field: str, words: Sequence[str], axes: int) -> tuple[int, ...]:
    """The number of voxels along each axis.

    Raises:
        BadFile: Not one whole number above 0 for each axis.
    """
    check_count(path, field, words, axes)
    return tuple(whole_number(path, field, word, low=1) for word in words)


def check_count(path: Path, field: str, words: Sequence[str], expected: int) -> None:
    """Refuse a list that is longer or shorter than it must be.

    Raises:
        BadFile: Both numbers.
    """
    if len(words) != expected:
        raise damaged(path, f"'{field}' lists {len(words)} values, expected {expected}")


def check_numbers(path: Path, field: str, words: Sequence[str]) -> None:
    """Refuse what is no finite number: readers take 0 for NaN, and 1 for "1,5", without a word.

    Raises:
        BadFile: The first one.
    """
    for word in words:
        if not is_finite(word):
            raise damaged(path, f"'{field}' is {shown(word)}, not a number")


def is_finite(word: str) -> bool:
    """Whether a word of a header is a finite number."""
    try:
        return math.isfinite(float(word)) and "_" not in word
    except ValueError:
        return False


def declared_size(sizes: Sequence[int], components: int, bytes_each: float) -> DeclaredSize:
    """What these sizes amount to; Python's numbers do not overflow."""
    voxels = math.prod(sizes) * components
    return DeclaredSize(voxels, math.ceil(voxels * bytes_each))


def check_held(path: Path, promised: int, held: int, *, inflation: int = 1) -> None:
    """Refuse a file that cannot hold what its header promises.

    Args:
        promised: Bytes of all voxels, as they are stored or uncompressed.
        held: Bytes that are there for the voxels.
        inflation: How much larger the voxels may be than what is stored.

    Raises:
        BadFile: Both numbers.
    """
    if promised > held * inflation:
        compressed = "" if inflation == 1 else "compressed "
        raise BadFile(
            f"{path} is cut off or damaged: it holds {max(held, 0)} {compressed}bytes where its header "
            f"promises {promised} bytes of voxels.",
            EXPORT_AGAIN,
        )


def voxel_files(path: Path, field: str, named: str, listed: Sequence[str]) -> tuple[Path, ...]:
    """The files beside a header that hold its voxels: one, those of a list, or those of a pattern.

    Args:
        named: What the header says: a name, "LIST", or a pattern such as "slice%03d.raw 1 20 1".
        listed: The names below the header.

    Raises:
        BadFile: One of them is not there or no file, or there are none.
    """
    words = named.split()
    if words[:1] == ["LIST"]:
        names = [name.strip() for name in listed if name.strip()]
    elif "%" in named and len(words) in (4, 5):
        names = _numbered(path, field, words)
    else:
        names = [named]
    if not 0 < len(names) <= MOST_FILES:
        raise damaged(path, f"'{field}' names {len(names)} files")
    files = tuple(path.parent / name for name in names)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise damaged(path, f"the file {shown(missing[0])} with its voxels is not there")
    return files


def _numbered(path: Path, field: str, words: Sequence[str]) -> list[str]:
    first, last, step = (whole_number(path, field, word, low=-LARGEST) for word in words[1:4])
    numbers = range(first, last + (1 if step > 0 else -1), step or 1)
    if len(numbers) > MOST_FILES or not PATTERN.fullmatch(words[0]):
        raise damaged(path, f"'{field}' is {shown(' '.join(words))}")
    return [words[0] % number for number in numbers]


def shown(text: str, longest: int = 40) -> str:
    """A value of a header as an error shows it."""
    return repr(text if len(text) <= longest else f"{text[:longest]}...")
