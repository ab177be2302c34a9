"""BYOL: one view predicts what a momentum encoder (EMA) sees in the other view; no negatives.

Source: Grill et al., Bootstrap your own latent, NeurIPS 2020, arXiv 2006.07733; projector 512-512-512 as in
SuperCL and MACL, predictor with 4096 hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.losses import distance_to
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector, Mlp
from ContrastiveSegLib.networks.momentum_encoder import MomentumEncoder, rising_momentum
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of BYOL."""

    momentum: Annotated[float, Range(0.5, 1.0), Label("momentum of the target network")] = 0.99
    """Momentum of the EMA network at first; it rises to 1 at the end. Published: 0.996."""

    hidden: Annotated[int, Range(8, 65536), Label("hidden units of the predictor")] = 4096
    """Hidden units of the predictor."""


class Method(PretrainingMethod):
    """BYOL on the encoder."""

    smallest_batch = 1

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.projector = ImageProjector(width, width, width)
        self.predictor = Mlp(width, settings.hidden, width)
        self.slow_network, self.slow_projector = MomentumEncoder(network), MomentumEncoder(self.projector)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        views = two_random_views(batch.images, generator)  # (2B, C, *S)
        features = self.projector(self.network.encode(views)[-1])
        momentum = rising_momentum(self.settings.momentum, self.progress)
        self.slow_network.follow(self.network, momentum)
        self.slow_projector.follow(self.projector, momentum)
        targets = self.slow_projector(self.slow_network.encode(views)[-1])
        self.watch(features)
        # Rolled by half, so that each view meets the other one.
        return {"prediction": distance_to(self.predictor(features), targets.roll(len(batch.images), 0))}
