"""How the threads of PyTorch wait, and how many cores a job leaves to other programs.

A step of training consists of hundreds of parallel sections, and at the end of each the threads wait for
the slowest. Unless told otherwise they spin meanwhile. As soon as another program needs a core, the thread
that all wait for may be the one that was paused, and the others spin its time away: a step takes many times
as long (Testing/Benchmarks/busy_machine.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping

# PyTorch's builds carry GNU's libgomp on Linux, Intel's libiomp5 on Windows and LLVM's libomp on macOS, and
# MKL computes on the same threads. libgomp honors the first variable, libomp both. To Intel's library the
# first only means what it does anyway, spin for 200 ms and then sleep; the second means sleep at once. All
# read them once, when PyTorch is loaded.
PASSIVE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}

# Whoever set one of these has decided how to wait.
DECIDED_BY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")

# Set for a job beside which somebody works. How many threads PyTorch would take is known only once it is
# loaded: on processors that run two threads per core, half of what the system counts.
FREE_CORE = "CONTRASTIVESEG_FREE_CORE"


def wait_asleep() -> None:
    """Let the threads of PyTorch sleep while they wait, unless the user has decided or it is too late."""
    if "torch" not in sys.modules and not is_waiting_decided():
        os.environ.update(PASSIVE_WAITING)


def is_waiting_decided(variables: Mapping[str, str] = os.environ) -> bool:
    """Whether the variables say how threads wait."""
    return any(name in variables for name in DECIDED_BY)


def leave_a_core(variables: MutableMapping[str, str]) -> None:
    """Add what lets a job that is started with these variables leave one core to other programs."""
    if "OMP_NUM_THREADS" not in variables:
        variables[FREE_CORE] = "1"
    # ITK counts the cores by itself.
    variables.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", str(max(1, (os.cpu_count() or 1) - 1)))


def leaves_a_core(variables: Mapping[str, str] = os.environ) -> bool:
    """Whether the job was started to leave one core to other programs."""
    return variables.get(FREE_CORE) == "1"
