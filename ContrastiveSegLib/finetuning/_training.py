"""One training of a fine-tuning: annotated cases, and beside them scans if there are any."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ContrastiveSegLib.distributed.coordination import on_first_process
from ContrastiveSegLib.distributed.processes import alone
from ContrastiveSegLib.finetuning._model import Cases, Task, judge, save
from ContrastiveSegLib.finetuning._resolution import in_steps_of
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.networks.weights import load_parts
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.training.batches import Chosen, Draws, Sampler
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.norm_statistics import drawn_first, take_statistics
from ContrastiveSegLib.training.schedule import Schedule
from ContrastiveSegLib.training.two_streams import TwoStreamSampler

AVERAGE = 0.99  # of the weights, over about a hundred steps
# Time to predict and clean a voxel, in that of a voxel of a training step: 0.43 measured on a CPU, in 2D.
PREDICTED_IN_STEPS = 0.4


@dataclass(frozen=True)
class Round:
    """Which of the trainings of a fine-tuning one is.

    Args:
        number: From 0 on.
        downsampling: Of all of them.
        ends: Whether it ends a self-training that stopped early, with annotated cases alone.
    """

    number: int
    downsampling: Sequence[int]
    ends: bool = False

    @property
    def last(self) -> int:
        return len(self.downsampling) - 1


def train_network(
    task: Task, strategy: FinetuningStrategy, cases: Cases, sampler: Draws, which: Round
) -> FinetuningStrategy:
    """Train one network, or find it finished."""
    number, rounds = which.number, which.last
    folder = task.model.part(number) if rounds else task.model
    steps = task.decided["steps"]
    if folder.is_finished:
        load_parts(strategy.network, folder)
        task.compute.place(strategy.network)
        return strategy
    how = Training(
        Schedule(steps, task.decided["batch"], task.decided["lr"], "adamw_one_cycle", task.decided["epoch"]),
        task.compute,
        folder.last,
        task.settings.seed + number,
        checkpoint_every_s=task.settings.save_every_min * 60,
        score=judge(task, strategy, cases.validation).score if cases.validation else None,
        average=AVERAGE,
        before=number * steps,
        after=(rounds - number) * steps,
        besides=_predictions(task, cases, rounds - number) + in_steps_of(which.downsampling, number, steps),
    )
    task.reporter.info(_words(task, strategy, cases, how, which))
    train(strategy, [p for p in strategy.parameters() if p.requires_grad], sampler, how, task.reporter)
    if rounds:
        with alone():
            take_statistics(strategy.network, _seen_for_norm(task, strategy, cases, sampler))
    on_first_process(save, task, strategy, cases, folder)
    on_first_process(folder.last.unlink, missing_ok=True)
    return strategy


def first_sampler(task: Task, strategy: FinetuningStrategy, cases: Cases) -> Draws:
    """Annotated patches, and where the strategy asks for them patches nobody annotated."""
    apart = strategy.two_streams and not strategy.rounds and bool(cases.unannotated)
    mixed = strategy.draws_unknown and not strategy.two_streams
    annotated = Sampler(
        [*cases.training, *(cases.unannotated if mixed else ())],
        task.grid.patch,
        labeled=True,
        chosen=Chosen(unknown=strategy.draws_unknown),
        seed=task.settings.seed,
        margin=strategy.margin,
    )
    return with_scans(task, strategy, annotated, cases.unannotated) if apart else annotated


def with_scans(
    task: Task, strategy: FinetuningStrategy, annotated: Draws, others: Sequence[PreparedCase]
) -> TwoStreamSampler:
    """Half of each batch annotated, half of scans, and the first and last steps as the strategy says."""
    how: dict[str, Any] = {"seed": task.settings.seed + 1, "margin": strategy.margin}
    second = Sampler(others, task.grid.patch, labeled=True, chosen=Chosen(unknown=not strategy.rounds), **how)
    steps = task.decided["steps"]
    until = round((1 - strategy.last_steps) * steps) if strategy.last_steps else None
    return TwoStreamSampler(annotated, second, since=round(strategy.first_steps * steps), until=until)


def _seen_for_norm(
    task: Task, strategy: FinetuningStrategy, cases: Cases, sampler: Draws
) -> Iterator[Tensor]:
    """Patches of the scans: as they taught, or where nothing is known of them yet near their middle."""
    if not isinstance(sampler, TwoStreamSampler):
        sampler = Sampler(cases.unannotated, task.grid.patch, labeled=False, seed=task.settings.seed)
        return drawn_first(sampler, task.compute)
    return drawn_first(sampler.others, task.compute, strategy.augmented)


def _predictions(task: Task, cases: Cases, times: int) -> float:
    """How long it takes to predict all scans so often, in steps."""
    voxels = sum(math.prod(case.shape) for case in cases.unannotated)
    return times * PREDICTED_IN_STEPS * voxels / (task.decided["batch"] * math.prod(task.grid.patch))


def _words(task: Task, strategy: FinetuningStrategy, cases: Cases, how: Training, which: Round) -> str:
    number, rounds = which.number, which.last
    start = task.start.path if task.start else "scratch"
    if which.ends or (number and strategy.continues):
        start = "the network before"
    title = "Last training: " if which.ends else f"Round {number} of {rounds}: " if rounds else ""
    return (
        f"{title}Fine-tuning {task.decided['network']} from {start} on "
        f"{len(cases.training)} cases ({len(cases.validation)} for validation): {task.grid.describe()}, "
        f"{how.schedule.steps} steps of {how.schedule.batch}, on {how.compute.describe()}."
    )
