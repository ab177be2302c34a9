"""How long a fine-tuning will take, and what it needs: from a few steps on a few cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ContrastiveSegLib.finetuning._model import Cases, Task, fresh_strategy, rounds_of
from ContrastiveSegLib.finetuning._resolution import trainings_at_full_resolution
from ContrastiveSegLib.finetuning._training import AVERAGE, PREDICTED_IN_STEPS, first_sampler
from ContrastiveSegLib.training.data import Found
from ContrastiveSegLib.training.loop import Training
from ContrastiveSegLib.training.pseudo_labels import BYTES_PER_VOXEL
from ContrastiveSegLib.training.schedule import Schedule
from ContrastiveSegLib.training.trial import try_steps
from ContrastiveSegLib.training.unannotated import FEWEST_SCANS

TRIED = FEWEST_SCANS  # cases of each kind that a plan reads: with fewer scans none would be learned from


@dataclass(frozen=True)
class Amount:
    """All there is, while only some of it was read.

    Args:
        startup: Seconds until the job began.
    """

    annotated: int
    scans: int
    seconds_per_case: float
    startup: float


def middle_of(found: Found, count: int, wanted: Sequence[bool] = ()) -> Found:
    """The cases of middle size; of those that are wanted, if that is said."""
    numbers = [n for n in range(len(found.cases)) if not wanted or wanted[n]]
    by_size = sorted(numbers, key=lambda n: math.prod(found.geometries[n].shape))
    first = max(0, (len(by_size) - count) // 2)
    kept = sorted(by_size[first : first + count])
    return Found(tuple(found.cases[n] for n in kept), tuple(found.geometries[n] for n in kept), found.listing)


def try_finetuning(task: Task, cases: Cases, amount: Amount) -> dict[str, Any]:
    """Take some steps, and say what all of them, and the predictions between them, will take."""
    decided = task.decided
    strategy = fresh_strategy(task, cases, number=0)
    how = Training(
        Schedule(decided["steps"], decided["batch"], decided["lr"], "adamw_one_cycle", decided["epoch"]),
        task.compute,
        task.model.last,
        task.settings.seed,
        average=AVERAGE,
    )
    parameters = [p for p in strategy.parameters() if p.requires_grad]
    tried = try_steps(strategy, parameters, first_sampler(task, strategy, cases), how)
    rounds = rounds_of(task, cases)
    scans = amount.scans if cases.unannotated else 0
    voxels = scans * sum(math.prod(case.shape) for case in cases.unannotated) / max(1, len(cases.unannotated))
    in_steps = rounds * PREDICTED_IN_STEPS * voxels / (tried.batch * math.prod(task.grid.patch))
    steps = trainings_at_full_resolution(task, cases, rounds) * decided["steps"] + in_steps
    reading = (amount.annotated + scans) * amount.seconds_per_case
    return {
        "trainings": rounds + 1,
        "steps": decided["steps"],
        "batch": tried.batch,
        "patch": list(task.grid.patch),
        "base_channels": decided["base_channels"],
        "annotated": amount.annotated,
        "scans": scans,
        "seconds_per_step": round(tried.seconds_per_step, 4),
        "seconds": round(amount.startup + reading + steps * tried.seconds_per_step),
        "memory_mb": round(tried.memory_mb),
        "disk_mb": round(rounds * voxels * BYTES_PER_VOXEL / 1e6),
        "device": task.compute.describe(),
    }
