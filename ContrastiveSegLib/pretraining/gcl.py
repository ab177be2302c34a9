"""GCL: slices of the same quarter of the body attract each other, across all volumes.

Source: Chaitanya et al., Contrastive learning of global and local features for medical image segmentation
with limited annotations, NeurIPS 2020, arXiv 2006.10511. The global, encoder-only stage, which is what
SuperCL and MACL compare with (their specification, section 7, row 15).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ContrastiveSegLib.contrast.losses import collapse_value, contrastive_loss
from ContrastiveSegLib.contrast.positives import same_part, two_views
from ContrastiveSegLib.contrast.views import two_random_views
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.runs.settings import Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of GCL."""

    parts: Annotated[int, Range(2, 64)] = 4
    """Number of equal parts along the slices; slices of one part are positives."""

    temperature: Annotated[float, Range(0.01, 1.0)] = 0.1
    """How sharply similar images are told apart; lower is sharper."""


class Method(PretrainingMethod):
    """GCL on the encoder."""

    needs = ("heights",)

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.projector = ImageProjector(*(network.widths[-1],) * 3)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        views = two_random_views(batch.images, generator)  # (2B, C, *S)
        features = self.projector(self.network.encode(views)[-1])  # (2B, D)
        positives = two_views(same_part(batch.heights, parts=self.settings.parts))
        self.watch(features, positives)
        return {"part": contrastive_loss(features, positives, temperature=self.settings.temperature)}

    def collapse_value(self, images: int) -> float:
        return collapse_value(2 * images, temperature=self.settings.temperature)
