"""SimCLR: two views of a slice are positives, all other slices of the batch are negatives.

Source: Chen et al., A simple framework for contrastive learning of visual representations, ICML 2020,
arXiv 2002.05709; as compared in SuperCL and MACL (projector as wide as the deepest features, tau 0.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.losses import collapse_value, contrastive_loss
from ContrastiveSegLib.contrast.positives import same_image, two_views
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of SimCLR."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.1
    """How sharply similar images are told apart; lower is sharper."""


class Method(PretrainingMethod):
    """SimCLR on the encoder."""

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.projector = ImageProjector(*(network.widths[-1],) * 3)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        views = two_random_views(batch.images, generator)  # (2B, C, *S)
        features = self.projector(self.network.encode(views)[-1])  # (2B, D)
        positives = two_views(same_image(batch.slice_positions))
        self.watch(features, positives)
        return {"instance": contrastive_loss(features, positives, temperature=self.settings.temperature)}

    def collapse_value(self, images: int) -> float:
        return collapse_value(2 * images, temperature=self.settings.temperature)
