"""Says about once a second how a training goes: mean of each term, rate, memory, time left, collapse."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ContrastiveSegLib.errors import Diverged
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.training.collapse import CollapseWatch
from ContrastiveSegLib.training.learner import Learner, Watch
from ContrastiveSegLib.training.schedule import Schedule

SECONDS_BETWEEN_REPORTS = 1.0


class Reported(Protocol):
    """What must be known of a training to report about it: see `loop.Training`."""

    @property
    def schedule(self) -> Schedule: ...
    @property
    def compute(self) -> Compute: ...
    @property
    def collapse(self) -> Callable[[int], float | None] | None: ...
    @property
    def before(self) -> int: ...
    @property
    def all_steps(self) -> int: ...
    @property
    def besides(self) -> float: ...


class Reached(Protocol):
    """Where a training is after a step."""

    learner: Learner
    step: int
    batch: int
    terms: dict[str, Tensor]


class Report:
    """Collects the values of each step, and reports from time to time.

    Args:
        start: The step that the training begins at.
    """

    def __init__(self, how: Reported, watch: Watch, start: int) -> None:
        self.how, self.watch = how, watch
        self.collapse, self.warned = CollapseWatch(how.schedule.steps), False
        self.begin(start)

    def begin(self, step: int) -> None:
        """Begin to collect, from this step on."""
        self.since, self.from_step, self.images = time.monotonic(), step, 0
        self.sums: dict[str, Tensor] = {}
        self.watched: dict[str, Tensor] = {}

    def after_step(self, progress: Reached) -> None:
        # Sums stay on the device; reading one would make the GPU wait for the CPU.
        for name, value in progress.terms.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value
        for name, value in progress.learner.watched.items():
            self.watched[name] = self.watched.get(name, torch.zeros_like(value)) + value
        self.images += progress.batch
        last = progress.step == self.how.schedule.steps
        if last or time.monotonic() - self.since >= SECONDS_BETWEEN_REPORTS:
            self._report(progress)

    def _report(self, progress: Reached) -> None:
        steps, seconds = progress.step - self.from_step, time.monotonic() - self.since
        terms = {name: float(total) / steps for name, total in self.sums.items()}
        if not all(math.isfinite(value) for value in terms.values()):
            raise diverged(progress.step, terms)
        watched = {name: float(total) / steps for name, total in self.watched.items()}
        collapse = self.how.collapse(progress.batch) if self.how.collapse else None
        if collapse is not None:
            watched["above_chance_level"] = next(iter(terms.values())) / collapse - 1
        done = self.how.before + progress.step
        self.watch.log_event(
            "progress",
            step=done,
            steps=self.how.all_steps,
            terms=terms,
            watched=watched,
            lr=self.how.schedule.lr_at(progress.step - 1),
            images_per_s=self.images / max(seconds, 1e-9),
            memory_mb=self.how.compute.memory_mb(),
            eta_s=(self.how.all_steps - done + self.how.besides) * seconds / steps,
        )
        self.collapse.take(progress.step, terms, watched, weight=steps)
        self._look_for_collapse(progress)
        self.begin(progress.step)

    def _look_for_collapse(self, progress: Reached) -> None:
        """Warn once while it can still be mended, and again at the end of a run that did not recover."""
        at_end = progress.step == self.how.schedule.steps
        if self.warned and not at_end:
            return
        what = self.collapse.reason(progress.step)
        if what:
            self.warned = True
            remedy = (
                "Do not build on this model: begin a new run" if at_end else "If it stays so, begin a new run"
            )
            self.watch.warn(
                f"The features have collapsed: {what} if all images looked alike. {remedy} with a lower "
                "--lr, a larger --batch, or more --epochs.",
                step=progress.step,
            )


def diverged(step: int, terms: Mapping[str, Any]) -> Diverged:
    """The error for a loss that is no number any more."""
    values = ", ".join(f"{name} {float(value):g}" for name, value in terms.items())
    return Diverged(
        f"The loss is no longer a number near step {step}: {values}.",
        "Begin a new run with a lower --lr, or with --precision float32.",
    )
