"""Work that is shared out case by case: who does which, and what came of all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ContrastiveSegLib.distributed.coordination import wait_for
from ContrastiveSegLib.distributed.processes import count, is_first, next_turn, rank, store


def own_cases(sizes: Sequence[int]) -> list[int]:
    """The numbers of the cases that this process does, in order.

    The largest go first, each to the process that has least to do, so that all end at about the same time.
    """
    given: list[list[int]] = [[] for _ in range(count())]
    work = [0] * count()
    for number in sorted(range(len(sizes)), key=lambda n: (-sizes[n], n)):
        least = work.index(min(work))
        given[least].append(number)
        work[least] += sizes[number]
    return sorted(given[rank()])


def processes_without_work(cases: int) -> str:
    """A sentence where there are more processes than cases, said by the first one; "" otherwise."""
    if cases >= count() or not is_first():
        return ""
    return f"There are {count()} processes, but only {cases} cases: some have nothing to do."


def gather_results(results: Mapping[int, Any]) -> dict[int, Any]:
    """The results of all processes, plain values by the number of the case; each gets all of them.

    Raises:
        ProcessLost: One of them has failed; the cases that were done are on disk.
    """
    if count() == 1:
        return dict(results)
    turn = next_turn()
    store().set(f"results {turn} {rank()}", json.dumps(list(results.items()), default=float))
    every: dict[int, Any] = {}
    for other in range(count()):
        wait_for(f"results {turn} {other}")
        every.update(json.loads(store().get(f"results {turn} {other}")))
    return every
