"""A setting of the whole process that several threads need at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class WholeProcess:
    """Set by the first thread that needs it and taken back by the last; nobody is surprised in between.

    Args:
        begin: Sets it, and returns what takes it back.
    """

    def __init__(self, begin: Callable[[], Callable[[], object]]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._users = 0
        self._end: Callable[[], object] = begin  # replaced before it is called

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it set inside the block."""
        with self._lock:
            if self._users == 0:
                self._end = self._begin()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._end()
