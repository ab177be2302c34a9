"""A file where a folder belongs, or a folder where a file belongs, is refused before a job starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.settings.rules import IsFile, IsFolder, rules_of


def check_places(settings: Any) -> None:
    """Look at each path that the settings of a job name; what is not there yet is fine.

    Raises:
        BadFile: A folder is where a file is to be.
        BadFolder: A file is where a folder is to be.
    """
    for name, rule in rules_of(type(settings)).items():
        path = getattr(settings, name)
        if path and rule.marked(IsFolder):
            refuse_file(path)
        elif path and rule.marked(IsFile):
            refuse_folder(path)


def refuse_file(path: Path) -> None:
    """Refuse a place for a folder where a file is, or that lies below one.

    Raises:
        BadFolder: What is there.
    """
    there = next((place for place in (path, *path.parents) if os.path.exists(place)), None)  # noqa: PTH110
    if there is not None and not there.is_dir():
        raise BadFolder(f"{there} is a file, not a folder.", "Choose a folder.")


def refuse_folder(path: Path) -> None:
    """Refuse a place for a file where a folder is, or that lies below a file.

    Raises:
        BadFile: A folder is there.
        BadFolder: A file is there where its folder is to be.
    """
    if path.is_dir():
        raise BadFile(f"{path} is a folder, not a file.", "Give the name of a file.")
    refuse_file(path.parent)
