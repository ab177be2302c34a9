"""Which of the processes of a job this is, and how many there are: one, unless torchrun started several.

No PyTorch here: jobs that need none ask too.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ContrastiveSegLib.errors import BadSetting

# Jobs that several processes can do together.
JOBS = ("pretrain", "finetune", "predict", "suggest", "evaluate")


@dataclass(frozen=True)
class Processes:
    """The processes that met for a job.

    Args:
        rank: Of this one, from 0 on.
        store: What they tell each other outside of a step: texts by name.
        turns: Numbers of what one does before the others; all count alike.
        beginning: How often they began again together.
    """

    rank: int = 0
    count: int = 1
    store: Any = None
    turns: Iterator[int] = field(default_factory=itertools.count)
    beginning: int = 0


_now = Processes()


def rank() -> int:
    """Which process this is, from 0 on."""
    return _now.rank


def count() -> int:
    """How many processes do this job."""
    return _now.count


def is_first() -> bool:
    """Whether this is the process that writes the run folder and speaks."""
    return _now.rank == 0


def store() -> Any:
    """What the processes tell each other, if there are several."""
    return _now.store


def next_turn() -> str:
    """The number of what one process is to do before the others."""
    return f"{_now.beginning}.{next(_now.turns)}"


def beginning() -> int:
    """How often the processes began again together."""
    return _now.beginning


def count_anew() -> None:
    """Forget the turns: the processes were interrupted at different ones."""
    global _now
    _now = replace(_now, beginning=_now.beginning + 1, turns=itertools.count())


@contextmanager
def met(processes: Processes) -> Iterator[None]:
    """Inside the block these are the processes of the job."""
    global _now  # torch.distributed itself is one for the whole process
    before, _now = _now, processes
    try:
        yield
    finally:
        _now = before


def alone() -> AbstractContextManager[None]:
    """A block in which each process does all of the work, as if it were the only one."""
    return met(Processes())


def asked_for(variables: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Rank and number of processes, as torchrun says in the environment.

    Raises:
        BadSetting: They do not go together.
    """
    try:
        found = int(variables.get("RANK", "0")), int(variables.get("WORLD_SIZE", "1"))
    except ValueError:
        found = (0, 0)
    if not 0 <= found[0] < found[1]:
        raise BadSetting(
            f"The environment says RANK={variables.get('RANK')} and WORLD_SIZE="
            f"{variables.get('WORLD_SIZE')}, which is not a process and how many there are.",
            "Start the job with torchrun, which sets both, or remove them for a single process.",
        )
    return found


def local_rank(variables: Mapping[str, str] = os.environ) -> int:
    """Which of the processes on this computer this is: each has a GPU of its own."""
    number = variables.get("LOCAL_RANK", "0")
    return int(number) if number.isdecimal() else 0


def is_first_to_say(variables: Mapping[str, str] = os.environ) -> bool:
    """Whether this is the process that speaks for all, also before they have met."""
    return variables.get("RANK", "0") == "0"


def refuse_several(job: str, *, plan: bool = False) -> None:
    """Refuse several processes for what only one can do.

    Args:
        plan: Whether only a plan was asked for.

    Raises:
        BadSetting: Names the jobs that take several.
    """
    _, several = asked_for()
    if several > 1 and (plan or job not in JOBS):
        what = "A plan is made" if plan else f"The job {job} is done"
        raise BadSetting(
            f"{what} by one process, but torchrun started {several}.",
            f"Start it without torchrun. Jobs for several processes: {', '.join(JOBS)}.",
        )
