"""log.txt: what happened, for people, with tracebacks."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ContrastiveSegLib.terminal import visible, visible_text


class VisibleFormatter(logging.Formatter):
    """One line per record: no name in it can begin a line of its own, or steer the terminal that shows it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's own name)
        """The line, without the traceback."""
        return visible(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (logging's own name)
        """The traceback, of several lines."""
        return visible_text(super().formatException(ei))


class LogFile(logging.FileHandler):
    """Append records with time and level, and open the file only when there is something to say.

    A folder that does not exist is not created: a job that was refused leaves nothing behind. A folder that
    took the place of the one that was there at first belongs to somebody else.

    Args:
        wanted: Asked before the file is opened: in a folder that is no run, a refusal is not written down.
    """

    def __init__(self, path: Path, *, wanted: Callable[[], bool] = lambda: True) -> None:
        super().__init__(path, mode="a", encoding="utf-8", errors="backslashreplace", delay=True)
        self._wanted, self._complained = wanted, False
        self._folder_at_first = _identity(path.parent)
        self.setFormatter(VisibleFormatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if self.stream is not None or (self._is_its_folder() and self._wanted()):
            try:
                super().emit(record)
            except OSError:  # the file cannot be opened
                self.handleError(record)

    def _is_its_folder(self) -> bool:
        now = _identity(Path(self.baseFilename).parent)
        return now is not None and self._folder_at_first in (None, now)

    def close(self) -> None:
        """Close the file; what a full disk did not take was said before."""
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 (logging's own name)
        """A log that cannot be written never hides what the job has to say: one line on the terminal."""
        if not self._complained:
            self._complained = True
            sys.stderr.write(f"{self.baseFilename} cannot be written ({sys.exc_info()[1]}).\n")


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one of its name; None where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if folder.is_dir() else None
