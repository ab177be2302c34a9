"""List the networks by reading the files, without importing torch."""

from __future__ import annotations

from pathlib import Path

from ContrastiveSegLib.registry import ENGINE, Entry, list_entries


def list_networks(folder: Path = ENGINE / "networks") -> tuple[Entry, ...]:
    """The networks with their captions, sorted by name: every file that defines a `Network`."""
    return list_entries(folder, defining="Network")


def network_names(folder: Path = ENGINE / "networks") -> tuple[str, ...]:
    """Names of the networks in a folder."""
    return tuple(entry.name for entry in list_networks(folder))
