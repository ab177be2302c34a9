"""A few steps of a training that writes nothing, to know how long all of them will take."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ContrastiveSegLib.training.batches import Draws
from ContrastiveSegLib.training.learner import Learner
from ContrastiveSegLib.training.loop import Training, train

WORTH_S = 3.0  # seconds that a trial may take after its first step
MOST = 30  # steps


@dataclass(frozen=True)
class Trial:
    """What some steps took.

    Args:
        batch: Images per step; fewer than asked for where memory ended.
    """

    seconds_per_step: float
    memory_mb: float
    batch: int


class _Silent:
    """Remembers the last progress, tells nobody."""

    def __init__(self) -> None:
        self.progress: dict[str, Any] = {}
        self.batch = 0

    def log_event(self, kind: str, **facts: Any) -> None:
        if kind == "progress":
            self.progress = facts

    def warn(self, sentence: str, **facts: Any) -> None:
        del sentence
        self.batch = facts.get("batch", self.batch)

    def cancelled(self) -> bool:
        return False


def try_steps(learner: Learner, parameters: list[nn.Parameter], sampler: Draws, how: Training) -> Trial:
    """Take one step to wake the device up, then as many as fit into a few seconds.

    Raises:
        TooLarge: Not even a batch of two fits into memory.
    """
    first = _run(learner, parameters, sampler, how, steps=1)
    steps = max(1, min(MOST, int(WORTH_S / max(_seconds(first, how), 1e-3))))
    then = _run(learner, parameters, sampler, how, steps=steps)
    batch = then.batch or how.schedule.batch
    return Trial(batch / then.progress["images_per_s"], then.progress["memory_mb"], batch)


def _run(
    learner: Learner, parameters: list[nn.Parameter], sampler: Draws, how: Training, *, steps: int
) -> _Silent:
    watch = _Silent()
    with tempfile.TemporaryDirectory() as folder:
        schedule = replace(how.schedule, steps=steps, epoch=steps)
        train(
            learner, parameters, sampler, replace(how, schedule=schedule, state=Path(folder) / "last"), watch
        )
    return watch


def _seconds(watch: _Silent, how: Training) -> float:
    return (watch.batch or how.schedule.batch) / float(watch.progress["images_per_s"])
