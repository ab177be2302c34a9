"""How this program recognizes its own files: its name, the marker of a run, and shared names."""

from __future__ import annotations

import json
from pathlib import Path

# Lies in every run folder, and says in which version of the format.
RUN_MARKER = "run.json"
RUN_FORMAT = 1
PROGRAM = "ContrastiveSeg"
# The folder in a run that may be deleted when a disk is full.
PREPARED = "prepared"
# Lies beside predictions, as .csv and .json.
SUMMARY = "summary"
# The end of the name of a map of uncertainty.
UNCERTAINTY = "_uncertainty"


def run_format(folder: Path) -> int | None:
    """The format version of a marked run folder; None where no readable marker lies."""
    try:
        marker = json.loads((folder / RUN_MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    is_ours = isinstance(marker, dict) and marker.get("program") == PROGRAM
    version = marker.get("run_format") if is_ours else None
    return version if isinstance(version, int) else None
