"""Does a job as the command line does, in which the last process is asked to stop after some steps.

`stopping.py STEPS JOB ...`
"""

from __future__ import annotations

import sys

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.distributed.processes import asked_for
from ContrastiveSegLib.session.reporter import Reporter


def stop_after(steps: int) -> None:
    asked: list[int] = []

    def cancelled(_: Reporter) -> bool:
        asked.append(1)
        return len(asked) >= steps

    own, several = asked_for()
    if own == several - 1:
        Reporter.cancelled = cancelled  # type: ignore[method-assign]


if __name__ == "__main__":
    stop_after(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
