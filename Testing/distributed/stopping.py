"""Does a job as the command line does, in which the last process is asked to stop after some steps.

`stopping.py STEPS JOB ...`
"""

from __future__ import annotations

import sys

from ContrastiveSegLib.__main__ import main
from Testing.distributed.last_process import let_last_process_answer

if __name__ == "__main__":
    steps = int(sys.argv[1])
    let_last_process_answer(lambda times: times >= steps)
    sys.exit(main(sys.argv[2:]))
