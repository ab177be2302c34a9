"""Does a job as the command line does, in which memory runs out in the last process in the middle of a step.

`running_out.py STEPS JOB ...`: in the step after so many, once.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import torch

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.distributed.processes import asked_for
from ContrastiveSegLib.training import loop, progress


def run_out_after(steps: int) -> None:
    done, reduce = itertools.count(), loop.all_reduce_gradients

    def reduced(parameters: Any) -> None:
        if next(done) == steps:
            raise torch.OutOfMemoryError("made up")
        reduce(parameters)

    own, several = asked_for()
    if own == several - 1:
        loop.all_reduce_gradients = reduced


if __name__ == "__main__":
    progress.SECONDS_BETWEEN_REPORTS = 0.0  # as where each step takes a second
    run_out_after(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
