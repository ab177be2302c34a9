"""Which Python carries out the jobs, and in which environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.threads import PASSIVE_WAITING, is_waiting_decided, leave_a_core

ROOT = Path(__file__).resolve().parents[2]

# Slicer's launcher sets these for its own Python; a foreign Python that sees them loads Slicer's packages.
FOREIGN_PREFIXES = ("PYTHON", "DYLD_", "QT_", "SLICER", "APPLAUNCHER_", "ITK_AUTOLOAD")
FOREIGN_NAMES = ("LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Engine:
    """The command that a job is appended to, and how it is started.

    Args:
        command: Program and first words.
        keeps_environment: Slicer's own Python needs the variables that Slicer's launcher has set.
    """

    command: tuple[str, ...]
    keeps_environment: bool = True

    @classmethod
    def own(cls) -> Engine:
        """The Python that this code runs in: inside Slicer, sys.executable is PythonSlicer."""
        return cls((sys.executable, "-u", "-m", "ContrastiveSegLib"))

    @classmethod
    def of(cls, python: Path | None) -> Engine:
        """Slicer's own Python, or the one at a path.

        Raises:
            BadFile: There is no program at the path.
        """
        if python is None:
            return cls.own()
        if not python.is_file() or not os.access(python, os.X_OK):
            raise BadFile(
                f"{python} is not a Python program that can be started.",
                "Choose python (python.exe on Windows) inside the environment, or leave the choice empty.",
            )
        return cls((str(python), "-u", "-m", "ContrastiveSegLib"), keeps_environment=False)

    def environment(self, outside: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The variables of the job's process."""
        kept = {k: v for k, v in outside.items() if self.keeps_environment or not _is_foreign(k)}
        if not is_waiting_decided(kept):
            kept.update(PASSIVE_WAITING)
        leave_a_core(kept)
        # A console on Windows may know no umlauts; what the job says goes into a file in UTF-8.
        return {**kept, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}


def _is_foreign(name: str) -> bool:
    upper = name.upper()
    return upper.startswith(FOREIGN_PREFIXES) or upper in FOREIGN_NAMES
