"""How long to train, and how the learning rate moves meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

WARM_UP = 0.25  # of a one-cycle schedule: the part in which the rate rises


@dataclass(frozen=True)
class Schedule:
    """Steps, batch and optimizer of one training.

    Args:
        steps: Optimizer steps in all.
        batch: Images per step.
        lr: Highest learning rate.
        recipe: "sgd_cosine": momentum 0.9, weight decay 1e-5, cosine to 0 (docs/methods/index.md).
            "adamw_one_cycle": rises for a quarter, then falls to nearly 0.
        epoch: Steps after which the state is saved and validation may run.
    """

    steps: int
    batch: int
    lr: float
    recipe: str
    epoch: int

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """A fresh optimizer; AdamW fused where the device has it.

        SGD is not: when gradients of float16 overflow at the first step, its fused form (PyTorch 2.13) keeps
        a momentum that was never filled.
        """
        parameters = list(parameters)
        if self.recipe == "sgd_cosine":
            return torch.optim.SGD(parameters, lr=self.lr, momentum=0.9, weight_decay=1e-5)
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
        return torch.optim.AdamW(parameters, lr=self.lr, weight_decay=1e-2, fused=fused)

    def lr_at(self, step: int) -> float:
        """Learning rate of a step: depends on nothing else, so that resuming needs no memory of it."""
        shape: Callable[[float], float] = cosine if self.recipe == "sgd_cosine" else one_cycle
        return self.lr * shape(step / max(self.steps, 1))


def cosine(progress: float) -> float:
    """1 to 0 on half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def one_cycle(progress: float) -> float:
    """1/25 up to 1 and down to nearly 0, both on half cosines.

    Source: Smith and Topin, Super-convergence, 2018, arXiv 1708.07120.
    """
    if progress < WARM_UP:
        return 1 / 25 + (1 - 1 / 25) * (1 - cosine(progress / WARM_UP))
    return max(cosine((progress - WARM_UP) / (1 - WARM_UP)), 1e-4)
