"""Python files parsed once, for as long as they stay the same: forms ask for the same ones many times."""

from __future__ import annotations

import ast
import functools
from pathlib import Path


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file, shared with all who ask: to be read, not changed.

    Raises:
        OSError, SyntaxError, ValueError: The file cannot be read, or is no Python.
    """
    found = path.stat()
    return _parsed(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=256)
def _parsed(path: Path, _written: int, _size: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
