"""The momentum encoder (EMA copy of a network), and the queue of past features."""

from __future__ import annotations

import copy
import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import gathered
from ContrastiveSegLib.networks.backbone import Backbone


class MomentumEncoder(nn.Module):
    """A copy of a module that follows it slowly and takes no gradient.

    It is part of the learner, so its tensors are saved and resumed with it.

    Source: He et al., Momentum contrast, CVPR 2020, arXiv 1911.05722, equation 2.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.copy = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def follow(self, module: nn.Module, momentum: float) -> None:
        """Move every parameter a little towards the module's; running statistics are the copy's own."""
        mine: list[Tensor] = list(self.copy.parameters())
        theirs: list[Tensor] = list(module.parameters())
        torch._foreach_lerp_(mine, theirs, 1 - momentum)

    @torch.no_grad()
    def forward(self, *arguments: Any) -> Any:
        """What the copy makes of the arguments."""
        return self.copy(*arguments)

    @torch.no_grad()
    def encode(self, images: Tensor) -> list[Tensor]:
        """The features of the copy, if it is a network."""
        return cast("Backbone", self.copy).encode(images)


def rising_momentum(start: float, progress: float) -> float:
    """From `start` to 1 on half a cosine, as BYOL and DINO raise it; progress 0...1."""
    return 1 - (1 - start) * 0.5 * (1 + math.cos(math.pi * progress))


class Queue(nn.Module):
    """The last features that were pushed, at unit length; part of the learner's state.

    Args:
        length: How many rows are kept.
    """

    rows: Tensor
    oldest: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", F.normalize(torch.randn(length, width), dim=1))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.long))

    def snapshot(self) -> Tensor:
        """The rows as they are now; what is pushed before the backward pass does not change them."""
        return self.rows.clone()

    @torch.no_grad()
    def push(self, features: Tensor) -> None:
        """Replace the oldest rows by these (N, width) of all processes; of more than fit, the first ones."""
        features = F.normalize(gathered(features.detach()).float(), dim=1)[: len(self.rows)]
        places = (self.oldest + torch.arange(len(features), device=features.device)) % len(self.rows)
        self.rows[places] = features
        self.oldest.copy_((self.oldest + len(features)) % len(self.rows))
