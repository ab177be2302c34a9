"""MACL: a full-size and a shrunken branch meet on one grid, where images and places are contrasted.

Source: MACL, IEEE JBHI 2026, arXiv 2309.11876; docs/methods/macl.md: L_g + 0.5 L_d + L_ER.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Generator, Tensor, nn

from ContrastiveSegLib.contrast.augmentation import intensity_augmentation, spatial_augmentation
from ContrastiveSegLib.contrast.losses import collapse_value, contrastive_loss
from ContrastiveSegLib.contrast.positives import near_slice_position, two_views
from ContrastiveSegLib.contrast.regions import resized
from ContrastiveSegLib.distributed.gathering import mean
from ContrastiveSegLib.networks.backbone import Backbone, fitting_patch
from ContrastiveSegLib.networks.heads import ImageProjector, PixelProjector
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of MACL."""

    threshold: Annotated[float, Range(0.0, 1.0), Label("position threshold")] = 0.1
    """Slices whose positions (0...1) differ by less are positives; published: CT 0.1, brain MR 0.05."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.1
    """How sharply similar images and places are told apart; lower is sharper."""

    decoder_blocks: Annotated[int, Range(0, 5), Label("pre-trained decoder blocks")] = 2
    """Decoder blocks that are pre-trained too; the second branch is smaller by a factor of 2 for each."""

    dense: Annotated[float, Range(0.0, 10.0), Label("weight of the dense contrast")] = 0.5
    """Weight of the contrast at each place of the slice."""

    equivariance: Annotated[float, Range(0.0, 10.0), Label("weight of the equivariance")] = 1.0
    """Weight of the difference between shrunken features and features of the shrunken slice."""

    invariance_aug: Annotated[
        Literal["identity", "jitter"],
        Label("gray values of the dense views", choices=("unchanged", "jittered")),
    ] = "identity"
    """Gray values in the dense contrast: unchanged, as in the paper, or jittered, as in the authors' code."""


class Method(PretrainingMethod):
    """MACL on the encoder and the deepest decoder blocks; dominant branch shrunken, auxiliary full size."""

    needs = ("slice positions",)

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        blocks, dims = min(settings.decoder_blocks, len(network.decoder)), len(network.stride)
        self.blocks = blocks
        self.trains = ("encoder", *(f"decoder.{n}" for n in range(blocks)))
        deepest, decoded = network.widths[-1], network.widths[-1 - blocks]
        outside = max(deepest // 4, 8)  # 128 of 512
        self.auxiliary_projector = ImageProjector(deepest, outside, outside)
        self.dominant_projector = ImageProjector(decoded, outside, outside)
        self.pixel_projector: nn.Module = PixelProjector(deepest, decoded, dims)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        how, images = self.settings, batch.images
        both = images.repeat(2, *(1,) * (images.ndim - 1))
        still = (
            both if how.invariance_aug == "identity" else intensity_augmentation(both, generator)
        )  # I1, I2
        turned = spatial_augmentation(intensity_augmentation(both, generator), generator)  # V1, V2
        (still_dominant, still_auxiliary), (turned_dominant, turned_auxiliary) = (
            still.chunk(2),
            turned.chunk(2),
        )

        auxiliary = self.network.encode(torch.cat([still_auxiliary, turned_auxiliary]))
        deepest, meeting = auxiliary[-1], auxiliary[-1 - self.blocks]
        shrunk = [
            n * small // large
            for n, small, large in zip(images.shape[2:], deepest.shape[2:], meeting.shape[2:], strict=True)
        ]
        dominant = self.network.encode(resized(torch.cat([still_dominant, turned_dominant]), shrunk))
        decoded = self.network.decode(dominant, self.blocks)
        places, turned_places = decoded.chunk(2)
        features, turned_features = deepest.chunk(2)

        positives = two_views(near_slice_position(batch.slice_positions, threshold=how.threshold))
        globally = torch.cat(
            [self.auxiliary_projector(turned_features), self.dominant_projector(turned_places)]
        )
        locally = torch.cat([self.pixel_projector(features), places])  # (2B, D, *s)
        self.watch(globally, positives)
        size = dominant[-1].shape[2:]
        difference = mean((dominant[-1].chunk(2)[0].float() - resized(features, size).float()).abs())
        terms = {
            "global": contrastive_loss(globally, positives, temperature=how.temperature),
            "dense": how.dense * self._at_each_place(locally, positives),
            "equivariance": how.equivariance * difference,
        }
        total = torch.stack(list(terms.values())).sum()
        self.watched["share_of_equivariance"] = (terms["equivariance"] / total).detach()
        return terms

    def _at_each_place(self, features: Tensor, positives: Tensor) -> Tensor:
        """The contrast of images, once for each place of the grid, as one batch of small matrices."""
        rows = features.flatten(2).permute(2, 0, 1)  # (places, 2B, D)
        return contrastive_loss(rows, positives, temperature=self.settings.temperature)

    def collapse_value(self, images: int) -> float:
        return collapse_value(2 * images, temperature=self.settings.temperature)

    def shrunk(self) -> tuple[int, ...]:
        # What the decoder blocks enlarge shows on any patch; this one always fits.
        smallest = fitting_patch(self.network, (1,) * len(self.network.stride))
        device = next(self.network.parameters()).device
        was_training = self.network.training
        with torch.no_grad():
            blank = torch.zeros(1, self.network.in_channels, *smallest, device=device)
            features = self.network.eval().encode(blank)
        self.network.train(was_training)
        meeting, deepest = features[-1 - self.blocks].shape[2:], features[-1].shape[2:]
        return tuple(large // small for large, small in zip(meeting, deepest, strict=True))
