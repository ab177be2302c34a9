"""DenseCL: as MoCo, and each place of a slice finds its counterpart in the other view.

Source: Wang et al., Dense contrastive learning for self-supervised visual pre-training, CVPR 2021,
arXiv 2011.09157: counterparts are the most similar backbone features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.losses import queue_loss
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector, PixelMlp
from ContrastiveSegLib.networks.momentum_encoder import MomentumEncoder, Queue
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of DenseCL."""

    weight: Annotated[float, Range(0.0, 1.0), Label("share of the dense term")] = 0.5
    """Share of the dense term; the rest is the image's."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.2
    """How sharply similar images are told apart; lower is sharper."""

    queue: Annotated[int, Range(16, 1_000_000), Label("queue length", "images")] = 2048
    """Number of earlier images that each image is compared with."""

    momentum: Annotated[float, Range(0.5, 1.0), Label("momentum of the second encoder")] = 0.99
    """Momentum of the EMA encoder; published 0.999, for trainings of a million steps."""


class Method(PretrainingMethod):
    """DenseCL on the encoder."""

    smallest_batch = 1  # the negatives come from the queue

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.projector = ImageProjector(width, width, width)
        self.dense_projector = PixelMlp(width, width, width)
        self.slow_network, self.slow_projector = MomentumEncoder(network), MomentumEncoder(self.projector)
        self.slow_dense_projector = MomentumEncoder(self.dense_projector)
        self.queue, self.dense_queue = Queue(settings.queue, width), Queue(settings.queue, width)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        how = self.settings
        first, second = two_random_views(batch.images, generator).chunk(2)
        seen = self.network.encode(first)[-1]  # (B, D, *S)
        queries = self.projector(seen)
        self.slow_network.follow(self.network, how.momentum)
        self.slow_projector.follow(self.projector, how.momentum)
        self.slow_dense_projector.follow(self.dense_projector, how.momentum)
        seen_slowly = self.slow_network.encode(second)[-1]
        keys = self.slow_projector(seen_slowly)
        dense_keys = _rows(self.slow_dense_projector(seen_slowly))
        self.watch(queries)
        partner = counterparts(seen, seen_slowly)  # (B, N)
        matched = dense_keys.gather(1, partner[:, :, None].expand_as(dense_keys))
        dense_queries = _rows(self.dense_projector(seen))
        whole = queue_loss(queries, keys, self.queue.snapshot(), temperature=how.temperature)
        dense = queue_loss(
            dense_queries.flatten(0, 1),
            matched.flatten(0, 1),
            self.dense_queue.snapshot(),
            temperature=how.temperature,
        )
        self.queue.push(keys)
        self.dense_queue.push(dense_keys.mean(1))
        return {"image": (1 - how.weight) * whole, "dense": how.weight * dense}


@torch.no_grad()
def counterparts(first: Tensor, second: Tensor) -> Tensor:
    """For each place of the first features (B, D, *S) the most similar place of the second: (B, N)."""
    with torch.autocast(first.device.type, enabled=False):
        first, second = (F.normalize(_rows(features).float(), dim=2) for features in (first, second))
        return (first @ second.transpose(1, 2)).argmax(2)


def _rows(features: Tensor) -> Tensor:
    """(B, D, *S) to (B, N, D)."""
    return features.flatten(2).transpose(1, 2)
