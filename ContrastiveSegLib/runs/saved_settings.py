"""What a run wrote down of its settings, read again; what is damaged there is named with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from ContrastiveSegLib.errors import BadCheckpoint, BadFile, BadSetting, ContrastiveSegError
from ContrastiveSegLib.settings.schema import read_jobs, read_settings

Settings = TypeVar("Settings")


def saved_jobs(path: Path, *, of_round: bool = False) -> dict[str, Any]:
    """One object per job, unchecked.

    Raises:
        BadFile: There is no such file.
        BadCheckpoint: It is damaged.
    """
    try:
        return read_jobs(path)
    except (BadFile, BadSetting) as error:
        if not path.exists():
            raise
        raise _damaged(path, error, of_round) from error


def saved_settings(
    path: Path, job: str, cls: type[Settings], *, of_round: bool = False, **known: Any
) -> Settings:
    """What one job was asked.

    Args:
        of_round: Whether the file belongs to a round of fine-tuning, and so to one job alone.
        known: As in read_settings().

    Raises:
        BadFile: There is no such file.
        BadSetting: The run was not asked for this job, or by another version of the program.
        BadCheckpoint: The file is damaged.
    """
    saved_jobs(path, of_round=of_round)
    try:
        return read_settings(path, job, cls, **known)
    except BadSetting as error:
        if not of_round:
            raise
        raise _damaged(path, error, of_round) from error


def _damaged(path: Path, error: ContrastiveSegError, of_round: bool) -> BadCheckpoint:
    remedy = (
        f"Restore it from a copy; without one, move the folder {path.parent} out of the run, and the other "
        "rounds go on."
        if of_round
        else "Restore it from a copy, or begin a new run folder; the models of this one still predict."
    )
    return BadCheckpoint(
        f"{path}, where the run wrote down what it was asked, is damaged: {error.what}", remedy
    )
