"""MoCo: each slice finds its other view among thousands of past slices, kept in a queue.

Source: He et al., Momentum contrast for unsupervised visual representation learning, CVPR 2020,
arXiv 1911.05722; the projector as in SuperCL and MACL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.losses import queue_loss
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector
from ContrastiveSegLib.networks.momentum_encoder import MomentumEncoder, Queue
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of MoCo."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.2
    """How sharply similar images are told apart; lower is sharper."""

    queue: Annotated[int, Range(16, 1_000_000), Label("queue length", "images")] = 2048
    """Number of earlier images that each image is compared with."""

    momentum: Annotated[float, Range(0.5, 1.0), Label("momentum of the second encoder")] = 0.99
    """Momentum of the EMA encoder; published 0.999, for trainings of a million steps."""


class Method(PretrainingMethod):
    """MoCo on the encoder."""

    smallest_batch = 1  # the negatives come from the queue

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.projector = ImageProjector(*(network.widths[-1],) * 3)
        self.slow_network, self.slow_projector = MomentumEncoder(network), MomentumEncoder(self.projector)
        self.queue = Queue(settings.queue, network.widths[-1])

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        first, second = two_random_views(batch.images, generator).chunk(2)
        queries = self.projector(self.network.encode(first)[-1])  # (B, D)
        self.slow_network.follow(self.network, self.settings.momentum)
        self.slow_projector.follow(self.projector, self.settings.momentum)
        keys = self.slow_projector(self.slow_network.encode(second)[-1])
        self.watch(queries)
        loss = queue_loss(queries, keys, self.queue.snapshot(), temperature=self.settings.temperature)
        self.queue.push(keys)
        return {"queue": loss}
