"""Copies of the modules that a task needs, as a package of their own that runs where this one is missing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ContrastiveSegLib.registry import ENGINE, parsed
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically

CAPTION = '"""Part of ContrastiveSeg {version}, Apache-2.0."""\n'


def copy_modules(names: list[str], folder: Path, *, version: str) -> None:
    """Copy modules, and all modules of ours that they import, to the same places in another package.

    Args:
        names: Inside of the engine, such as "networks.unet".
        folder: Its name becomes that of the package.
    """
    caption = CAPTION.format(version=version).encode()
    for path in sorted(_needed(names)):
        target = folder / path.relative_to(ENGINE)
        make_folder(target.parent)
        text = re.sub(rf"\b{ENGINE.name}(?=[.\s])", folder.name, path.read_text(encoding="utf-8"))
        write_atomically(target, text.encode())
        # Not ours: they decide how the threads of a whole program wait.
        write_atomically(target.parent / "__init__.py", caption)
    write_atomically(folder / "__init__.py", caption)


def _needed(names: list[str]) -> set[Path]:
    found: set[Path] = set()
    waiting = [_file(f"{ENGINE.name}.{name}") for name in names]
    while waiting:
        path = waiting.pop()
        if path is not None and path not in found:
            found.add(path)
            waiting += [_file(name) for node in ast.walk(parsed(path)) for name in _imported(node)]
    return found


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return [name.name for name in node.names] if isinstance(node, ast.Import) else []


def _file(name: str) -> Path | None:
    """The file of a module of the engine; None for a package, or what is not ours."""
    first, *parts = name.split(".")
    path = ENGINE.joinpath(*parts).with_suffix(".py") if first == ENGINE.name and parts else ENGINE
    return path if path.is_file() else None
