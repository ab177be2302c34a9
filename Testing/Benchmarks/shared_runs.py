"""How several processes share the runs of a benchmark, and fill one table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ContrastiveSegLib.__main__ import DONE, INTERRUPTED, stopping_saved
from ContrastiveSegLib.errors import Cancelled, RunInUse
from ContrastiveSegLib.runs.file_lock import hold

LOOKS_EVERY_S = 0.2


def taken(run: Path, counts: list[int]) -> Iterator[int]:
    """The numbers of patients that are missing of a run, if no other process works at it."""
    if not counts:
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(run.with_name(f"{run.name}.lock")))
        except RunInUse:
            return
        yield from counts


@contextmanager
def alone_at(table: Path) -> Iterator[None]:
    """Inside the block no other process writes the table."""
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold(table.with_suffix(".lock")))
                break
            except RunInUse:
                time.sleep(LOOKS_EVERY_S)
        yield


def saved_when_stopped(work: Callable[[], None]) -> int:
    """Do the work; the exit code, which says whether a signal ended it, after what was begun was saved."""
    try:
        with stopping_saved():
            work()
    except Cancelled as error:
        sys.stderr.write(f"{error}\n")
        return INTERRUPTED
    return DONE
