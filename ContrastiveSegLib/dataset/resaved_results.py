"""Predictions that another program saved again: their mark is gone, but their labels are unchanged."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.label_digest import read_label_digest
from ContrastiveSegLib.program_identity import PROGRAM, SUMMARY

SAVED_AGAIN = "predicted by round {}, then saved again without a change"


@dataclass(frozen=True)
class _Summary:
    """What the summary beside predictions says.

    Args:
        rounds: Of fine-tuning, by the checksum of the labels.
        images: Names of the files that were predicted.
    """

    rounds: Mapping[str, int]
    images: frozenset[str] = frozenset()


def finder() -> Callable[[Path], str]:
    """A function that says how a file without a mark was made; "" if it is no such prediction.

    Each summary is read once.
    """
    summary_of = functools.cache(_summary)

    def made(path: Path) -> str:
        summary = summary_of(path.parent)
        if not summary.rounds or path.name in summary.images:
            return ""
        try:
            number = summary.rounds.get(read_label_digest(path))
        except BadFile:
            return ""  # whoever needs its voxels says why
        return "" if number is None else SAVED_AGAIN.format(number)

    return made


def _summary(folder: Path) -> _Summary:
    """Of a folder without one, or with one of another program, nothing is known."""
    try:
        content = json.loads((folder / f"{SUMMARY}.json").read_text(encoding="utf-8"))
        entries = content["cases"] if content["program"] == PROGRAM else []
        rounds = {entry["labels_sha256"]: entry["round"] for entry in entries if "labels_sha256" in entry}
        images = (Path(name).name for entry in entries for name in entry["image"])
        return _Summary(rounds, frozenset(images))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return _Summary({})
