"""SimTriplet: as SimSiam, and the neighboring slice is predicted too.

Source: Liu et al., SimTriplet, MICCAI 2021, arXiv 2103.05585: there the third view is an adjacent patch of a
histology slide; in a volume it is the slice above or below.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import random_view, two_random_views
from ContrastiveSegLib.contrast.losses import distance_to
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector, Mlp
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.training.batches import Batch
from ContrastiveSegLib.training.slice_pairs import Neighbor


@dataclass(frozen=True)
class Settings:
    """SimTriplet has no settings of its own."""


class Method(PretrainingMethod):
    """SimTriplet on the encoder."""

    dims = (2,)
    needs = ("slice positions",)
    smallest_batch = 1

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.partners = Neighbor()
        self.projector = ImageProjector(width, width, width)
        self.predictor = Mlp(width, width // 4, width)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        (neighbors,) = batch.companions()
        views = torch.cat([two_random_views(batch.images, generator), random_view(neighbors, generator)])
        features = self.projector(self.network.encode(views)[-1])  # (3B, D)
        self.watch(features)
        predicted = self.predictor(features).chunk(3)
        seen = features.chunk(3)
        return {
            "same_slice": 0.5 * (distance_to(predicted[0], seen[1]) + distance_to(predicted[1], seen[0])),
            "neighbor": 0.5 * (distance_to(predicted[0], seen[2]) + distance_to(predicted[2], seen[0])),
        }
