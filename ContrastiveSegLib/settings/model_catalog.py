"""List the families of promptable models by reading the files, without importing torch."""

from __future__ import annotations

import ast
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.registry import ENGINE, Entry, list_entries, title_of

# What is chosen where nothing is said: the only one whose weights come with a package.
DEFAULT = "lite_medsam"


@dataclass(frozen=True)
class ModelEntry:
    """A family: its file's name and caption, and what its CARD says.

    Args:
        makes: "masks" in single slices, or "volumes" from one slice.
        license: Of the published weights.
        how: How to get the weights.
        carried: Installed distribution and file in it that hold the weights, or None.
    """

    name: str
    caption: str
    makes: str
    license: str
    how: str
    carried: tuple[str, str] | None = None

    @property
    def title(self) -> str:
        """The caption's first words."""
        return title_of(self.caption)

    @property
    def has_weights_here(self) -> bool:
        """Whether a package of this Python carries the weights."""
        if self.carried is None:
            return False
        distribution, inside = self.carried
        try:
            path = importlib.metadata.distribution(distribution).locate_file(inside)
        except importlib.metadata.PackageNotFoundError:
            return False
        return Path(str(path)).is_file()


def list_models(folder: Path = ENGINE / "sam") -> tuple[ModelEntry, ...]:
    """Read every family's file in `folder`, sorted by name; `_name.py` is none, nor is a file without CARD.

    Raises:
        BadFile: A family's CARD cannot be understood.
    """
    return tuple(_entry(entry) for entry in list_entries(folder, defining="CARD"))


def _entry(entry: Entry) -> ModelEntry:
    here = _assigned(entry.tree)
    names = {**_imported(entry.tree, entry.path.parent), **here}
    try:
        keywords: list[ast.keyword] = here["CARD"].keywords  # type: ignore[attr-defined]
        said = {word.arg: word.value for word in keywords if word.arg in ModelEntry.__dataclass_fields__}
        values = {word: _value(node, names) for word, node in said.items()}
        return ModelEntry(entry.name, entry.caption, **values)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        what = f"The CARD of {entry.path} cannot be read ({error})."
        raise BadFile(what, "Write its values as plain texts and tuples.") from error


def _value(node: ast.expr, names: dict[str, ast.expr]) -> Any:
    """A literal, or the literal that a name stands for."""
    return ast.literal_eval(names[node.id] if isinstance(node, ast.Name) else node)


def _imported(module: ast.Module, folder: Path) -> dict[str, ast.expr]:
    """What the file takes from its neighbors, such as the license that two families share."""
    found: dict[str, ast.expr] = {}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            neighbor = folder / f"{node.module.rpartition('.')[2]}.py"
            if neighbor.is_file() and f".{folder.name}." in node.module:
                there = _assigned(Entry(neighbor).tree)
                found |= {a.asname or a.name: there[a.name] for a in node.names if a.name in there}
    return found


def _assigned(module: ast.Module) -> dict[str, ast.expr]:
    return {
        node.targets[0].id: node.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
