"""Coarse to fine: which trainings see the images at half the resolution, in a third of the time.

A coarse network finds the structures in the scans too; only outlines need more pixels. So it labels the
scans, and the last network learns from these labels, at full resolution, from its weights on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from monai.networks import one_hot
from torch import Tensor
from torch.nn import functional as F

from ContrastiveSegLib.finetuning._model import Cases, Task, first_strategy, network_arguments
from ContrastiveSegLib.finetuning._strategy import load_strategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.networks.backbone import build_network, fitting_patch
from ContrastiveSegLib.settings.schema import from_dict

HALF = 2
# Dice of a structure with itself, halved and enlarged again, below which it is too fine for that. The wall of
# the left ventricle has 0.90 at 1.5 mm.
SHOWN = 0.8
# Time of a step at full resolution, in those at half: 2.8 measured in 2D, on a CPU.
FINE_STEP = 2.8


def downsampling_of_rounds(task: Task, cases: Cases, rounds: int) -> list[int]:
    """How much coarser than the working grid each network computes: the first one, and that of each round."""
    full = [1] * (rounds + 1)
    module = load_strategy(task.settings.strategy)
    asked = module.Strategy.coarse_first(from_dict(module.Settings, task.settings.options))
    if not rounds or not asked or first_strategy(task, cases):
        return full
    if why := _too_fine(task, cases):
        task.reporter.info(f"All trainings are at full resolution, because {why}.")
        return full
    task.reporter.info("All trainings but the last see the images at half the resolution.")
    return [HALF] * rounds + [1]


def in_steps_of(downsampling: Sequence[int], number: int, steps: int) -> float:
    """How much longer the trainings after this one take than as many steps of this one, in such steps."""
    finer = sum(1 for other in downsampling[number + 1 :] if other < downsampling[number])
    return finer * steps * (FINE_STEP - 1)


def trainings_at_full_resolution(task: Task, cases: Cases, rounds: int) -> float:
    """How many trainings at full resolution would take as long as all of them."""
    return sum(1 if one == 1 else 1 / FINE_STEP for one in downsampling_of_rounds(task, cases, rounds))


def _too_fine(task: Task, cases: Cases) -> str:
    """Why half the resolution is not enough; empty if it is."""
    if len(task.grid.patch) == 3:
        return "for blocks half of it was not enough"
    arguments = network_arguments(task, cases, downsampling=HALF)
    network = build_network(task.decided["network"], seed=0, **arguments)
    if fitting_patch(network, task.grid.patch) != tuple(task.grid.patch):
        return "the patch cannot be halved once more"
    shown = dice_after_halving(
        (labels for case in cases.training for labels in case.label_map), len(task.table.structures)
    )
    worst = int(np.nanargmin(shown)) if np.isfinite(shown).any() else 0
    if shown[worst] < SHOWN:
        return f'"{task.table.names[worst]}" is too fine for half of it'
    return ""


def dice_after_halving(slices: Iterable[npt.NDArray[np.integer]], structures: int) -> npt.NDArray[np.float64]:
    """Dice of each structure with itself after halving and enlarging; nan of one that is nowhere.

    Args:
        slices: Labels (H, W), IGNORE_LABEL where nothing is annotated.
    """
    both, sizes = np.zeros(structures), np.zeros(structures)
    for labels in slices:
        if (labels > 0).any():
            there = torch.from_numpy(np.array(labels, np.int64))
            again = torch.where(there == IGNORE_LABEL, IGNORE_LABEL, _halved_and_enlarged(there, structures))
            for n in range(structures):
                both[n] += 2 * int(((there == n + 1) & (again == n + 1)).sum())
                sizes[n] += int((there == n + 1).sum() + (again == n + 1).sum())
    return np.where(sizes > 0, both / np.maximum(sizes, 1), np.nan)


def _halved_and_enlarged(labels: Tensor, structures: int) -> Tensor:
    """Labels (H, W) as a network at half the resolution could predict them at best."""
    height, width = labels.shape
    odd = (0, width % HALF, 0, height % HALF)
    each = F.pad(one_hot(labels.clamp(min=0)[None, None], num_classes=structures + 1), odd, mode="replicate")
    again = F.interpolate(F.avg_pool2d(each, HALF), scale_factor=HALF, mode="bilinear")
    return again[0].argmax(0)[:height, :width]
