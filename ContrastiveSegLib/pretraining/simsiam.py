"""SimSiam: one view predicts the other through the same network, whose gradient is stopped on one side.

Source: Chen and He, Exploring simple Siamese representation learning, CVPR 2021, arXiv 2011.10566; projector
512-512-512 and predictor 512-128-512 without batch norm, as their sizes in MACL say.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.losses import distance_to
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector, Mlp
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """SimSiam has no settings of its own."""


class Method(PretrainingMethod):
    """SimSiam on the encoder."""

    smallest_batch = 1

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.projector = ImageProjector(width, width, width)
        self.predictor = Mlp(width, width // 4, width)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        features = self.projector(self.network.encode(two_random_views(batch.images, generator))[-1])
        self.watch(features)
        # Rolled by half, so that each view meets the other one.
        return {"prediction": distance_to(self.predictor(features), features.roll(len(batch.images), 0))}
