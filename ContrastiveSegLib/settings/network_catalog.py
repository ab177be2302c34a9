"""List the networks by reading the files, without importing torch."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

NETWORKS = Path(__file__).parents[1] / "networks"


@dataclass(frozen=True)
class NetworkEntry:
    """A network: its file's name and caption."""

    name: str
    caption: str

    @property
    def title(self) -> str:
        """The caption's first words: the network's name in the papers."""
        return self.caption.partition(":")[0].rstrip(".")


def network_names(folder: Path = NETWORKS) -> tuple[str, ...]:
    """Names of the networks in a folder: every file that defines a `Network`."""
    return tuple(path.stem for path in _files(folder))


@functools.cache
def list_networks(folder: Path = NETWORKS) -> tuple[NetworkEntry, ...]:
    """The networks with their captions, sorted by name."""
    return tuple(NetworkEntry(path.stem, _caption(path)) for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.py"))
    return [path for path in files if "\nclass Network(Backbone)" in path.read_text(encoding="utf-8")]


def _caption(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
    return docstring.partition("\n")[0].strip()
