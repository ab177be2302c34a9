"""Does a job as the command line does, in which the last process fails when it comes to a case.

`failing.py CASES JOB ...`: after so many cases, for a reason that meets every case.
"""

from __future__ import annotations

import sys

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.distributed.processes import asked_for
from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.session.reporter import Reporter


def fail_after(cases: int) -> None:
    asked: list[int] = []

    def cancelled(_: Reporter) -> bool:
        asked.append(1)
        if len(asked) > cases:
            raise CannotWrite("The disk is full.", "Free some space.")
        return False

    own, several = asked_for()
    if own == several - 1:
        Reporter.cancelled = cancelled  # type: ignore[method-assign]


if __name__ == "__main__":
    fail_after(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
