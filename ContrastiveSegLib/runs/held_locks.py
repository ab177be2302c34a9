"""The lock files that this process holds, and whether their folders are still where the work began."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

from ContrastiveSegLib.errors import CannotWrite

_held: dict[Path, FileIO] = {}


def keep(lock: Path, file: FileIO) -> Path:
    """Remember a lock that was taken; the place to forget again, which a moved link no longer tells."""
    place = lock.resolve()
    _held[place] = file
    return place


def forget(place: Path) -> None:
    """The lock was given back."""
    _held.pop(place, None)


def held_locks() -> tuple[Path, ...]:
    """The lock files that this process holds."""
    return tuple(sorted(_held))


def refuse_moved(path: Path) -> None:
    """Refuse to write into a folder that was moved away, deleted, or replaced by another since it was locked.

    Otherwise the job would make the folder again, or write into the new run that lies in its place.

    Raises:
        CannotWrite: Says so.
    """
    if not _held:
        return
    place = path.resolve()
    for lock, file in tuple(_held.items()):
        if lock.parent in (place, *place.parents) and not _is_there(lock, file):
            raise CannotWrite(
                f"The run folder {lock.parent} was moved, deleted or replaced while this job worked in it; "
                "nothing more is written.",
                "Start it again with the folder's new place: it goes on from what was saved.",
            )


def _is_there(lock: Path, file: FileIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), lock.stat())
    except (OSError, ValueError):
        return False
