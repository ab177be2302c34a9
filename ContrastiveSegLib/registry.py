"""What can be exchanged is a file in a folder: which files there are, their captions, and their modules.

Methods, strategies, networks, promptable models, jobs and steps of the panel are looked up here. A file
whose name begins with an underscore is shared by its neighbors. Nothing is imported until it is chosen, so
the lists need no torch.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ContrastiveSegLib.errors import BadFile, BadSetting

ENGINE = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """One file that can be chosen by its name."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def tree(self) -> ast.Module:
        """The file, parsed.

        Raises:
            BadFile: It cannot be read, or is no Python.
        """
        try:
            return parsed(self.path)
        except (SyntaxError, ValueError, OSError) as error:
            what = f"{self.path} cannot be read: {error}."
            raise BadFile(what, "Correct the file, or remove it.") from error

    @property
    def caption(self) -> str:
        """The first line of its docstring; "" if there is none."""
        return (ast.get_docstring(self.tree) or "").partition("\n")[0].strip()

    @property
    def title(self) -> str:
        """The caption's first words: what it names, as the papers do."""
        return title_of(self.caption)

    def defines(self, name: str) -> bool:
        """Whether the file itself assigns this name, or defines it as a class or function."""
        return any(name in _names_of(node) for node in self.tree.body)


def title_of(caption: str) -> str:
    """A caption's first words: what it names, as the papers do."""
    return caption.partition(":")[0].rstrip(".")


def list_entries(folder: Path, *, defining: str = "") -> tuple[Entry, ...]:
    """The files of a folder that can be chosen, sorted by name.

    Args:
        defining: What a file must define to be one of them; empty: every file is.

    Raises:
        BadFile: A file must be looked into, and cannot be read.
    """
    entries = (Entry(path) for path in sorted(folder.glob("[!_]*.py")))
    return tuple(entry for entry in entries if not defining or entry.defines(defining))


def load_entry(room: str, name: str, *, what: str, defining: str = "") -> ModuleType:
    """Import the file of that name in a room of the engine.

    Args:
        what: Such as "network", for the message.

    Raises:
        BadSetting: There is none of that name.
    """
    known = [entry.name for entry in list_entries(ENGINE / room, defining=defining)]
    if name not in known:
        raise unknown_name(what, name, known)
    return importlib.import_module(f"{ENGINE.name}.{room}.{name}")


def import_entries(folder: Path, package: str, *, defining: str) -> tuple[ModuleType, ...]:
    """Import every file of a folder that defines a name, in the order of the files.

    Args:
        package: The importable name of the folder.
    """
    names = [entry.name for entry in list_entries(folder, defining=defining)]
    return tuple(importlib.import_module(f"{package}.{name}") for name in names)


def unknown_name(what: str, name: str, known: Iterable[str], *, source: str = "") -> BadSetting:
    """The error for a name that is not in a list: it shows the list and the closest match."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    where = f" in {source}" if source else ""
    listed = ", ".join(known) or "none"
    return BadSetting(f"There is no {what} {name!r}{where}.{guess}", f"Choose from: {listed}.")


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file, shared with all who ask: to be read, not changed.

    Forms ask for the same files many times; a file is parsed once for as long as it stays the same.

    Raises:
        OSError, SyntaxError, ValueError: The file cannot be read, or is no Python.
    """
    found = path.stat()
    return _parsed(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=256)
def _parsed(path: Path, _written: int, _size: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _names_of(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}
