"""Cards of version 0.1 carry no checksum, so they are compared with what else their run says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder


def check_unsealed(source: ModelFolder, card: Mapping[str, Any]) -> None:
    """Refuse a card without a checksum that says something else than the files beside it.

    Raises:
        BadCheckpoint: What differs, and where it stands.
    """
    if "seal" in card:
        return
    grid = _entry(source.settings, "decided", "finetune", "grid")
    for name, value in grid.items():
        _compare(source.model, card["grid"].get(name, value), source.settings, value, f"the grid's {name}")
    for path in _tables(source):
        told, known = _names(_entry(path)), _names(card["labels"])
        if told:
            _compare(source.model, known, path, told, "the structures")


def _compare(card: Path, here: Any, other: Path, there: Any, what: str) -> None:
    if here != there:
        raise BadCheckpoint(
            f"{card} and {other} contradict each other about {what}: {_shown(here)} and {_shown(there)}. One "
            "of them was changed or damaged.",
            "Copy the run folder again, or train again.",
        )


def _tables(source: ModelFolder) -> list[Path]:
    """The label tables of this round; that at the top belongs to the last round that began."""
    run = RunFolder(source.path.parent.parent)
    rounds = (*run.finetune_rounds(), *run.finetune_rounds(finished=True))
    is_last = source.path.name == f"{max(rounds, default=0):02d}"
    return [source.labels, *([ModelFolder(run.path).labels] if is_last else [])]


def _entry(path: Path, *keys: str) -> dict[str, Any]:
    """What a file says there; {} where it says nothing that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            content = content[key]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _names(table: Mapping[str, Any]) -> dict[Any, Any]:
    """Value to name; {} where these cannot be read."""
    try:
        return {structure["value"]: structure["name"] for structure in table["structures"]}
    except (TypeError, LookupError):
        return {}


def _shown(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
