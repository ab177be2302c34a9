"""PCL: slices at a similar position in the body are positives, across all volumes.

Source: Zeng et al., Positional contrastive learning for volumetric medical image segmentation,
MICCAI 2021, arXiv 2106.09157; loss and rows as in docs/methods/index.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.losses import collapse_value, contrastive_loss
from ContrastiveSegLib.contrast.positives import near_slice_position, two_views
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of PCL."""

    threshold: Annotated[float, Range(0.0, 1.0), Label("position threshold")] = 0.1
    """Slices whose positions (0...1) differ by less than this are positives; published: CT 0.1, ACDC 0.35."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.1
    """How sharply similar images are told apart; lower is sharper."""


class Method(PretrainingMethod):
    """PCL on the encoder."""

    needs = ("slice positions",)

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.projector = ImageProjector(*(network.widths[-1],) * 3)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        views = two_random_views(batch.images, generator)  # (2B, C, *S)
        features = self.projector(self.network.encode(views)[-1])  # (2B, D)
        positives = two_views(near_slice_position(batch.slice_positions, threshold=self.settings.threshold))
        self.watch(features, positives)
        return {"position": contrastive_loss(features, positives, temperature=self.settings.temperature)}

    def collapse_value(self, images: int) -> float:
        return collapse_value(2 * images, temperature=self.settings.temperature)
