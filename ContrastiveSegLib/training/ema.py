"""The moving average of weights: smoother than the last ones, at the price of one addition per step.

Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992; as an exponential
average, Tarvainen and Valpola, Mean teachers, NeurIPS 2017, arXiv 1703.01780.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightEMA:
    """The average of a module's parameters and running statistics over about its last 1 / (1 - decay) steps.

    Attributes:
        tensors: The average by name, as in the module's state; whole numbers are the module's own.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def take(self, module: nn.Module, step: int) -> None:
        """Move the average towards the module after `step` steps; the first ones are soon forgotten."""
        decay = min(self.decay, step / (step + 10))
        mine, theirs = [], []
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                mine.append(self.tensors[name])
                theirs.append(tensor)
            else:
                self.tensors[name].copy_(tensor)
        torch._foreach_lerp_(mine, theirs, 1 - decay)

    @contextmanager
    def in_place_of(self, module: nn.Module) -> Iterator[None]:
        """Inside the block the module has the average as its weights."""
        own: dict[str, Tensor] = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        module.load_state_dict(self.tensors)
        try:
            yield
        finally:
            module.load_state_dict(own)
