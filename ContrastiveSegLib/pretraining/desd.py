"""DeSD: features at several depths match what a momentum encoder (EMA) sees.

Source: Ye et al., DeSD: self-supervised learning with deep self-distillation for 3D medical image
segmentation, MICCAI 2022; targets as in Caron et al., DINO, ICCV 2021, arXiv 2104.14294.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor, nn

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.clusters import Teacher, distillation_loss
from ContrastiveSegLib.distributed.gathering import gathered
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import Mlp, Prototypes, average
from ContrastiveSegLib.networks.momentum_encoder import MomentumEncoder, rising_momentum
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch

DEPTHS = 3  # the deepest features, and those of the two levels above


@dataclass(frozen=True)
class Settings:
    """Settings of DeSD."""

    outputs: Annotated[int, Range(16, 1_000_000), Label("prototypes")] = 4096
    """Number of soft classes; the authors' configuration has 65536, which takes most of the memory."""

    momentum: Annotated[float, Range(0.5, 1.0), Label("momentum of the teacher")] = 0.996
    """How slowly the teacher follows at first; it rises to 1 at the end."""

    teacher_temperature: Annotated[float, Range(0.001, 1.0), Label("temperature of the teacher")] = 0.04
    """How sure the teacher is; lower is surer."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the student")] = 0.1
    """How sharply the student tells classes apart; lower is sharper."""


class Head(nn.Module):
    """Average over space, two linear layers, cosine with learned directions: (B, D, *S) to (B, outputs)."""

    def __init__(self, inside: int, width: int, outputs: int) -> None:
        super().__init__()
        self.mlp, self.classes = Mlp(inside, width, width), Prototypes(width, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.classes(self.mlp(average(features)))


class Method(PretrainingMethod):
    """DeSD on the encoder."""

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.heads = nn.ModuleList(
            Head(inside, width, settings.outputs) for inside in network.widths[: -DEPTHS - 1 : -1]
        )
        self.slow_network, self.slow_head = MomentumEncoder(network), MomentumEncoder(self.heads[0])
        self.teacher = Teacher(settings.outputs, temperature=settings.teacher_temperature)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        views = two_random_views(batch.images, generator)  # (2B, C, *S)
        features = self.network.encode(views)[: -DEPTHS - 1 : -1]  # deepest first
        momentum = rising_momentum(self.settings.momentum, self.progress)
        self.slow_network.follow(self.network, momentum)
        self.slow_head.follow(self.heads[0], momentum)
        # Rolled by half, so that each view meets the other one.
        targets = self.teacher(self.slow_head(self.slow_network.encode(views)[-1])).roll(len(batch.images), 0)
        self.watch(average(features[0]))
        # Of a slow class that all images share, nothing can be learned: the teacher's doubt shows it.
        self.watched["teacher_entropy"] = torch.special.entr(gathered(targets).mean(0)).sum()
        losses = [
            distillation_loss(head(seen), targets, temperature=self.settings.temperature)
            for head, seen in zip(self.heads, features, strict=True)
        ]
        return {f"depth_{n}": loss / DEPTHS for n, loss in enumerate(losses)}
