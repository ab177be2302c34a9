"""What can be trained, and who receives its events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from torch import Generator, Tensor, nn

from ContrastiveSegLib.training.batches import Batch


class Learner(nn.Module, ABC):
    """What can be trained: a method or a strategy.

    Attributes:
        progress: How much of the training is done, 0...1; the loop sets it before each step.
        watched: What is worth seeing beside the loss, as scalars by name; filled by `loss_terms`.
    """

    progress: float = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.watched: dict[str, Tensor] = {}

    @abstractmethod
    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is minimized and their names are the curves."""


class Watch(Protocol):
    """Receives events and warnings, and may ask to stop."""

    def log_event(self, kind: str, **facts: Any) -> None:
        """Take one event."""

    def warn(self, sentence: str, **facts: Any) -> None:
        """Take a sentence for the user."""

    def cancelled(self) -> bool:
        """Whether to stop."""
