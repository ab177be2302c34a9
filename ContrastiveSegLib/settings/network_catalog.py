"""List the networks by reading the files, without importing torch."""

from __future__ import annotations

from pathlib import Path

from ContrastiveSegLib.registry import ENGINE, Entry, list_entries
from ContrastiveSegLib.settings.recommended import recommended_first


def list_networks(folder: Path = ENGINE / "networks") -> tuple[Entry, ...]:
    """Every file that defines a `Network`, with its caption: the recommended one first, then by name."""
    return tuple(recommended_first(list_entries(folder, defining="Network"), "networks"))


def network_names(folder: Path = ENGINE / "networks") -> tuple[str, ...]:
    """Names of the networks in a folder."""
    return tuple(entry.name for entry in list_networks(folder))
