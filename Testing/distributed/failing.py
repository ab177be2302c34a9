"""Does a job as the command line does, in which the last process fails when it comes to a case.

`failing.py CASES JOB ...`: after so many cases, for a reason that meets every case.
"""

from __future__ import annotations

import sys

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.errors import CannotWrite
from Testing.distributed.last_process import let_last_process_answer


def fail_after(cases: int) -> None:
    def answer(times: int) -> bool:
        if times > cases:
            raise CannotWrite("The disk is full.", "Free some space.")
        return False

    let_last_process_answer(answer)


if __name__ == "__main__":
    fail_after(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
