"""Which files below `annotations` were saved by the program: those a person put there are not among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ContrastiveSegLib.runs.atomic_write import write_json
from ContrastiveSegLib.runs.run_folder import RunFolder


def written_files(run: RunFolder) -> frozenset[Path]:
    """The files that were saved here, and the record itself."""
    names = read_object(_record(run)).get("files", [])
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return frozenset([_record(run), *(run.annotations / name for name in known)])


def record_file(run: RunFolder, path: Path) -> None:
    """Remember that the program saved this file."""
    files = {*written_files(run), path} - {_record(run)}
    names = sorted(file.relative_to(run.annotations).as_posix() for file in files)
    write_json(_record(run), {"files": names})


def read_object(path: Path) -> dict[str, Any]:
    """What a file of JSON says; nothing if it is not there, as in an imported run, or is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _record(run: RunFolder) -> Path:
    """Hidden, because whoever searches the folder for cases passes by hidden files."""
    return run.annotations / ".written.json"
