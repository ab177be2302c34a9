"""GCL: slices of the same part of the body are positives, across all volumes.

Source: Chaitanya et al., Contrastive learning of global and local features for medical image segmentation
with limited annotations, NeurIPS 2020, arXiv 2006.10511. By default the global, encoder-only stage, which is
what SuperCL and MACL compare with (docs/methods/gcl.md). The paper's local stage comes
after it, with the encoder fixed; here, if asked for, both are learned together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.contrast.augmentation import intensity_augmentation, two_random_views
from ContrastiveSegLib.contrast.losses import collapse_value, contrastive_loss, matching_loss
from ContrastiveSegLib.contrast.positives import same_part, two_views
from ContrastiveSegLib.contrast.regions import chosen_pixels, pick_pixels
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector, PixelMlp
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch

POOL = {4: F.avg_pool2d, 5: F.avg_pool3d}


@dataclass(frozen=True)
class Settings:
    """Settings of GCL."""

    parts: Annotated[int, Range(2, 64), Label("parts of a volume")] = 4
    """Number of equal parts along the slices; slices of one part are positives."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.1
    """How sharply similar images are told apart; lower is sharper."""

    local: Annotated[float, Range(0.0, 10.0), Label("weight of the local contrast")] = 0.0
    """Weight of the contrast between places of a slice, on decoder features; 0: only the encoder learns."""

    decoder_blocks: Annotated[int, Range(1, 5), Label("pre-trained decoder blocks")] = 3
    """Decoder blocks that the local contrast trains."""

    places: Annotated[int, Range(2, 1000), Label("places per slice")] = 13
    """Places of 3 x 3 features that are compared in each slice."""


class Method(PretrainingMethod):
    """GCL on the encoder, and on the deepest decoder blocks if places are compared too."""

    needs = ("slice positions",)

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.projector = ImageProjector(*(network.widths[-1],) * 3)
        if settings.local:
            self.blocks = min(settings.decoder_blocks, len(network.decoder))
            self.trains = ("encoder", *(f"decoder.{n}" for n in range(self.blocks)))
            decoded = network.widths[-1 - self.blocks]
            self.place_projector = PixelMlp(decoded, decoded, decoded)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        views = two_random_views(batch.images, generator)  # (2B, C, *S)
        features = self.projector(self.network.encode(views)[-1])  # (2B, D)
        positives = two_views(same_part(batch.slice_positions, parts=self.settings.parts))
        self.watch(features, positives)
        terms = {"part": contrastive_loss(features, positives, temperature=self.settings.temperature)}
        if self.settings.local:
            terms["place"] = self.settings.local * self._places(batch.images, generator)
        return terms

    def _places(self, images: Tensor, generator: Generator) -> Tensor:
        """Contrast of places between two copies of each image with other gray values and the same pixels."""
        copies = torch.cat([intensity_augmentation(images, generator) for _ in range(2)])
        decoded = self.network.decode(self.network.encode(copies), self.blocks)
        pooled = POOL[images.ndim](self.place_projector(decoded), 3, ceil_mode=True)  # (2B, D, *places)
        count, pixels = self.settings.places, pooled[0, 0].numel()
        index = chosen_pixels(pixels, len(images), generator, how="random", count=count)
        one, other = (pick_pixels(half, index) for half in pooled.chunk(2))  # (B, n, D)
        return matching_loss(one, other, temperature=self.settings.temperature)

    def collapse_value(self, images: int) -> float:
        return collapse_value(2 * images, temperature=self.settings.temperature)
