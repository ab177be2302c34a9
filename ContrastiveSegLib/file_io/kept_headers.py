"""A header is asked for several times on the way of a file; it is read once while the file stays the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

KEPT = 16


def kept_while_unchanged(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """Let a function of a file answer again what it answered for the same size and time of change.

    What it returns is shared, so nobody may change it.
    """

    @lru_cache(maxsize=KEPT)
    def answer(path: Path, _place: str, _size: int, _time: int) -> T:
        return read(path)

    @wraps(read)
    def ask(path: Path) -> T:
        stat = path.stat()
        return answer(path, os.path.abspath(path), stat.st_size, stat.st_mtime_ns)  # noqa: PTH100, links stay

    return ask
