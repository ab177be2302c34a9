"""The one training loop of pre-training and fine-tuning: resumes, cancels, shrinks when memory ends."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ContrastiveSegLib.distributed.collectives import all_reduce_gradients, any_process
from ContrastiveSegLib.distributed.coordination import MemoryEndedElsewhere
from ContrastiveSegLib.distributed.division import check_division, divided
from ContrastiveSegLib.distributed.layers import synchronize
from ContrastiveSegLib.distributed.process_group import begin_again
from ContrastiveSegLib.distributed.processes import count, is_first, rank
from ContrastiveSegLib.errors import Cancelled, TooLarge
from ContrastiveSegLib.session.device import Compute, is_out_of_memory
from ContrastiveSegLib.training.batches import Batch, Draws
from ContrastiveSegLib.training.checkpoint import load_state, save_state
from ContrastiveSegLib.training.ema import WeightEMA
from ContrastiveSegLib.training.learner import Learner, Watch
from ContrastiveSegLib.training.progress import Report, diverged
from ContrastiveSegLib.training.schedule import Schedule

LARGEST_GRADIENT = 12.0  # nnU-Net's limit; it is reached only when training is about to break


@dataclass(frozen=True)
class Training:
    """Everything that one training needs to know.

    Args:
        state: File of the state to go on from.
        seed: Decides every random number, together with the step.
        score: Judges the learner on validation patients at the end of an epoch, higher is better; without
            it the last weights stay, with it the best.
        collapse: Value of the loss if all features were equal, for a number of images.
        average: Decay of the moving average of the weights, which then is judged and stays; 0: none.
        before: Steps of the trainings that came before this one in the same job; progress counts them too.
        after: Steps of those that are to come.
        besides: Other work that is to come, such as predictions, in steps that take as long.
    """

    schedule: Schedule
    compute: Compute
    state: Path
    seed: int
    checkpoint_every_s: float = 300
    score: Callable[[int], float] | None = None
    collapse: Callable[[int], float | None] | None = None
    average: float = 0.0
    before: int = 0
    after: int = 0
    besides: float = 0.0

    @property
    def all_steps(self) -> int:
        """Steps of the whole job."""
        return self.before + self.schedule.steps + self.after


def train(
    learner: Learner, parameters: list[nn.Parameter], sampler: Draws, how: Training, watch: Watch
) -> None:
    """Run the schedule to its end; afterwards `learner` holds the last, the average, or the best weights.

    Raises:
        BadSetting: There are fewer images per step than processes.
        Cancelled: The user asked to stop; the state was saved.
        Diverged: The loss is no longer a number.
        TooLarge: Not even a batch of two fits into memory.
    """
    check_division(how.schedule.batch)
    how.compute.place(learner)
    synchronize(learner, how.compute.device)
    progress = _Progress(learner, parameters, how)
    if not progress.resume() and count() > 1:
        progress.save()  # where all begin again if memory runs out in one of them
    learner.train()
    report = Report(how, watch, progress.step)
    while not _run_until_memory_ends(sampler, progress, report):
        # Only here, outside of the handler, is nothing left that holds the memory of the step that failed.
        progress.halve_batch(watch)
        report.begin(progress.step)  # what was done since the last save may be done again
    if progress.best is not None:
        learner.load_state_dict(progress.best)
    elif progress.average is not None:
        learner.load_state_dict(progress.average.tensors)


def _run_until_memory_ends(sampler: Draws, progress: _Progress, report: Report) -> bool:
    """Step after step; True at the end of the schedule, False when a step did not fit into memory."""
    try:
        with _drawn_ahead(sampler, progress) as batches:
            for batch in batches:
                _one_step(batch, progress)
                report.after_step(progress)
                _end_of_step(progress, report.watch)
    except MemoryEndedElsewhere:
        return False
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def _one_step(batch: Batch, progress: _Progress) -> None:
    how = progress.how
    generator = how.compute.generator(_mixed(how.seed, progress.step))
    torch.manual_seed(_mixed(how.seed, progress.step))  # for layers that draw by themselves, as dropout does
    for group in progress.optimizer.param_groups:
        group["lr"] = how.schedule.lr_at(progress.step)
    progress.learner.progress = progress.step / how.schedule.steps
    with divided(batch.divided), how.compute.mixed():
        terms = progress.learner.loss_terms(batch, generator)
    total = torch.stack(list(terms.values())).sum()
    progress.optimizer.zero_grad(set_to_none=True)
    progress.scaler.scale(total).backward()
    all_reduce_gradients(progress.parameters)
    progress.scaler.unscale_(progress.optimizer)
    nn.utils.clip_grad_norm_(progress.parameters, LARGEST_GRADIENT)
    progress.scaler.step(progress.optimizer)
    progress.scaler.update()
    progress.terms = {name: term.detach() for name, term in terms.items()}
    progress.step += 1
    if progress.average is not None:
        progress.average.take(progress.learner, progress.step)


def _end_of_step(progress: _Progress, watch: Watch) -> None:
    schedule = progress.how.schedule
    at_end_of_epoch = progress.step % schedule.epoch == 0 or progress.step == schedule.steps
    if at_end_of_epoch:
        progress.validate()
    if at_end_of_epoch or progress.is_checkpoint_due():
        progress.save()
    if any_process(watch.cancelled()):
        progress.save()
        raise Cancelled(
            f"Training was cancelled after step {progress.step} of {schedule.steps}; everything is saved.",
            "Start it again to go on.",
        )


@contextmanager
def _drawn_ahead(sampler: Draws, progress: _Progress) -> Iterator[Iterator[Batch]]:
    """The batches of the coming steps, each drawn in a thread while the step before it computes."""
    with ThreadPoolExecutor(max_workers=1) as pool:

        def draw(step: int) -> Future[Batch]:
            return pool.submit(sampler.draw, step, progress.batch)

        def batches() -> Iterator[Batch]:
            coming = draw(progress.step)
            while progress.step < progress.how.schedule.steps:
                batch = coming.result()
                coming = draw(progress.step + 1)
                yield batch.on(progress.how.compute.device)

        yield batches()


class _Progress:
    """The state of a training: what is saved and resumed."""

    def __init__(self, learner: Learner, parameters: list[nn.Parameter], how: Training) -> None:
        self.learner, self.parameters, self.how = learner, parameters, how
        self.optimizer = how.schedule.optimizer(parameters)
        self.step, self.batch = 0, how.schedule.batch
        is_float16 = how.compute.precision == "float16"  # the one format in which small gradients become zero
        self.scaler = torch.amp.GradScaler(how.compute.device.type, enabled=is_float16)
        self.terms: dict[str, Tensor] = {}
        self.average = WeightEMA(learner, how.average) if how.average else None
        self.best: dict[str, Tensor] | None = None
        self.best_score = -math.inf
        self.saved_at = time.monotonic()

    def save(self) -> None:
        if not all(bool(parameter.isfinite().all()) for parameter in self.parameters):
            raise diverged(self.step, self.terms)  # the last state that can be resumed stays on disk
        if is_first():
            self._write()
        self.saved_at = time.monotonic()

    def _write(self) -> None:
        """Everything that a training goes on from, whatever the number of processes."""
        save_state(
            self.how.state,
            {
                "step": self.step,
                "batch": self.batch,
                "learner": self.learner.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "average": self.average.tensors if self.average else None,
                "best": self.best,
                "best_score": self.best_score,
            },
        )

    def resume(self) -> bool:
        """Go on from what was saved; whether there is something."""
        state = load_state(self.how.state, self.how.compute.device)
        if state is None:
            return False
        self.step, self.batch = state["step"], state["batch"]
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.best, self.best_score = state["best"], state["best_score"]
        if self.average is not None:
            self.average.tensors = state["average"]
        return True

    def is_checkpoint_due(self) -> bool:
        return time.monotonic() - self.saved_at > self.how.checkpoint_every_s

    def validate(self) -> None:
        if self.how.score is None:
            return
        judged = self.average.in_place_of(self.learner) if self.average else contextlib.nullcontext()
        with judged:
            self.learner.eval()
            score = self.how.score(self.how.before + self.step)
            self.learner.train()
            if score >= self.best_score:
                self.best, self.best_score = copy.deepcopy(self.learner.state_dict()), score

    def halve_batch(self, watch: Watch) -> None:
        """Go on with half the batch: the learning rate stays, as the rates here are far from their limits."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.how.compute.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.batch <= 2:
            raise TooLarge(
                f"Not even {self.batch} images fit into the memory of {self.how.compute.describe()}.",
                "Choose a smaller --patch or fewer --base-channels, or another device.",
            )
        half = max(2, self.batch // 2)
        if count() > 1:
            half -= half % 2  # each half of a step with scans is divided
            self._begin_again_together(half)
        self.batch = half
        watch.warn(f"Memory ran out; going on with {self.batch} images per step.", batch=self.batch)

    def _begin_again_together(self, half: int) -> None:
        """All processes go back to what was saved: they were interrupted at different places of a step."""
        # What waits in a call of NCCL cannot be interrupted as what waits in one of gloo.
        # Each half of a step with scans is divided over all processes.
        if self.how.compute.device.type == "cuda" or half < 2 * count():
            raise TooLarge(
                f"Memory ran out in process {rank()} of {count()} with {self.batch} images per step.",
                "Start more processes, so that each has fewer images, or a new run with a smaller --batch.",
            )
        begin_again()
        self.resume()


def _mixed(seed: int, step: int) -> int:
    """One number from two, far apart for neighbors."""
    return (seed * 1_000_003 + step) * 0x9E3779B97F4A7C15 % 2**63
