"""What the amount of data and the kind of machine decide of a training; engine and panel both ask here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Channels of a network's first level: 32 as in the papers; about half of the work on a CPU.
BASE_CHANNELS = {"cpu": 24, "gpu": 32}
PIXELS_PER_STEP = {"cpu": 8 * 128 * 128, "gpu": 16 * 256 * 256}  # of fine-tuning
SHORTEST_EPOCH = 50  # steps; a few annotated slices are passed in two or three, too few to save after each
PRETRAINING_BATCH = 32
FINETUNING_STEPS = 1500  # a few labeled cases are learned by then; more data get more steps
FINETUNING_PASSES = 20
FEWEST_SCANS = 3  # without annotation; fewer do not show what is usual among them


@dataclass(frozen=True)
class Plan:
    """How much is learned.

    Args:
        batch: Slices or blocks per step.
        epoch: Steps after which the state is saved and validation may run.
        steps: In all.
    """

    batch: int
    epoch: int
    steps: int


def kind_of_machine(device: str) -> str:
    """The key of what depends on the machine: "cpu", or "gpu" for every faster device."""
    return "cpu" if device == "cpu" else "gpu"


def plan_pretraining(slices: int, *, epochs: int, steps: int | None = None, batch: int | None = None) -> Plan:
    """How long pre-training takes; what is given stays as given.

    Args:
        slices: Of all cases together, on the working grid.
        epochs: Passes over the data, where no steps are given.
    """
    batch = batch or PRETRAINING_BATCH
    one_pass = max(1, slices // batch)
    return Plan(batch, max(SHORTEST_EPOCH, one_pass), steps or epochs * one_pass)


def plan_finetuning(
    slices: int, patch: Sequence[int], machine: str, *, steps: int | None = None, batch: int | None = None
) -> Plan:
    """How long fine-tuning takes; what is given stays as given.

    Args:
        slices: Of the annotated cases together, on the working grid.
        patch: (H, W) for slices, (K, H, W) for blocks.
        machine: As `kind_of_machine` says.
    """
    batch = batch or min(max(PIXELS_PER_STEP[machine] // math.prod(patch), 2), 32)
    one_pass = slices / (patch[0] if len(patch) == 3 else 1) / batch
    epoch, passes = max(SHORTEST_EPOCH, round(one_pass)), int(FINETUNING_PASSES * one_pass)
    return Plan(batch, epoch, steps or max(FINETUNING_STEPS, passes))
