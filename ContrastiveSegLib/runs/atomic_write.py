"""Files of a run folder: written completely or not at all, and only where the work began."""

from __future__ import annotations

import json
from pathlib import Path

from ContrastiveSegLib import disk
from ContrastiveSegLib.runs.held_locks import refuse_moved


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that whoever looks sees the old content or the new one, never a part.

    Raises:
        CannotWrite: Disk full, read-only, no permission ...; what was there before is untouched.
    """
    refuse_moved(path)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with disk.replacing(path) as temporary, temporary.open("xb") as file:
        file.write(data)


def write_json(path: Path, content: object) -> None:
    """Write plain values so that people can read them too; all or nothing.

    Raises:
        CannotWrite: As `write_atomically`.
        ValueError: A number is infinite or none.
    """
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def make_folder(path: Path) -> None:
    """Create a folder of a run and those above it; one that exists is fine.

    Raises:
        CannotWrite: Read-only, no permission, or a file is in the way.
    """
    refuse_moved(path)
    disk.make_folder(path)
