"""log.txt: what happened, for people, with tracebacks."""

from __future__ import annotations

import logging
from pathlib import Path


class LogFile(logging.FileHandler):
    """Append records with time and level, and open the file only when there is something to say.

    A folder that does not exist is not created: a job that was refused leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="a", encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if Path(self.baseFilename).parent.is_dir():
            super().emit(record)
