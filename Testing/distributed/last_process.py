"""The last of several processes, which a test lets answer whether it shall stop."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from ContrastiveSegLib.distributed.processes import asked_for
from ContrastiveSegLib.session.reporter import Reporter


def let_last_process_answer(answer: Callable[[int], bool]) -> None:
    """Let it answer by how often it was asked, from 1 on."""
    times = itertools.count(1)
    own, several = asked_for()
    if own == several - 1:
        Reporter.cancelled = lambda _: answer(next(times))  # type: ignore[method-assign]
