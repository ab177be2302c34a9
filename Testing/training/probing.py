"""A learner whose loss a test decides, and who watches it.

Run as a script, this file trains and kills itself without warning: `probing.py STATE STEPS RECIPE KILL_AT`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.pretraining.simclr import Method, Settings
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.training import loop
from ContrastiveSegLib.training.batches import Batch, Sampler
from ContrastiveSegLib.training.learner import Learner
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.schedule import Schedule

ROOT = Path(__file__).parents[2]
STEPS = 7
CPU = Compute(torch.device("cpu"), "float32")


@dataclass
class Witness:
    """Remembers what it is told, and cancels or does worse after some steps."""

    after_step: Callable[[int], bool] = lambda _: False
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: int = 0

    def log_event(self, kind: str, **facts: Any) -> None:
        self.events.append((kind, facts))

    def warn(self, sentence: str, **facts: Any) -> None:
        self.warnings.append(sentence)
        self.events.append(("warning", facts))

    def cancelled(self) -> bool:
        self.steps += 1
        return self.after_step(self.steps)


class Probe(Learner):
    """A learner of one number, whose loss a test decides."""

    def __init__(
        self, loss: Callable[[Probe, int], Tensor] = lambda probe, _: probe.weight.square().sum()
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.loss = loss
        self.batches: list[int] = []

    def loss_terms(self, batch: Batch, _: Generator) -> dict[str, Tensor]:
        self.batches.append(len(batch.images))
        return {"probe": self.loss(self, len(self.batches))}


def a_sampler() -> Sampler:
    shape = (5, 40, 40)
    images = np.random.default_rng(0).random((1, *shape)).astype(np.float16)
    geometry = Geometry(shape[::-1])
    return Sampler(
        [PreparedCase("a", "a", images, None, geometry, geometry)], (32, 32), labeled=False, seed=0
    )


def a_method() -> Method:
    torch.manual_seed(0)
    return Method(build_network("unet", seed=0, base_channels=4), Settings())


def how(state: Path, *, recipe: str = "sgd_cosine", steps: int = STEPS, **changes: Any) -> Training:
    schedule = Schedule(
        steps, batch=changes.pop("batch", 4), lr=0.05, recipe=recipe, epoch=changes.pop("epoch", 3)
    )
    return Training(schedule, changes.pop("compute", CPU), state, seed=changes.pop("seed", 0), **changes)


def weights_after(training: Training, watch: Witness | None = None) -> dict[str, Tensor]:
    method = a_method()
    train(method, list(method.parameters()), a_sampler(), training, watch or Witness())
    return method.state_dict()


def probe(training: Training, learner: Probe, watch: Witness | None = None) -> Probe:
    train(learner, list(learner.parameters()), a_sampler(), training, watch or Witness())
    return learner


def assert_identical(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def main(state: str, steps: str, recipe: str, kill_at: str) -> None:
    """Train, saving every step, and end at once when a step is done but not yet saved."""
    torch.set_num_threads(1)

    def kill(step: int) -> bool:
        if step == int(kill_at) - 1:
            loop.save_state = lambda *_: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return False

    weights_after(how(Path(state), steps=int(steps), recipe=recipe, checkpoint_every_s=0), Witness(kill))


if __name__ == "__main__":
    main(*sys.argv[1:])
