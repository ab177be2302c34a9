"""SuperCL: contrast within a slice by superpixels, between slices by position and by shared structure.

Source: SuperCL, IEEE TIP 35, 2026, doi 10.1109/TIP.2026.3657233, arXiv 2504.14737;
docs/methods/supercl.md: L_ins + L_intra (ILCP) + 0.5 L_inter (IGCP: ASP, then CCL).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import intensity_augmentation, spatial_augmentation
from ContrastiveSegLib.contrast.graphs import components, connected, nearest_neighbors
from ContrastiveSegLib.contrast.losses import (
    collapse_value,
    contrastive_loss,
    contrastive_loss_in_each_image,
)
from ContrastiveSegLib.contrast.positives import near_slice_position, same_image, two_views
from ContrastiveSegLib.contrast.regions import (
    average_structure,
    chosen_pixels,
    on_feature_grid,
    pick_pixels,
    same_region,
    superpixels_of,
)
from ContrastiveSegLib.distributed.gathering import mean
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of SuperCL."""

    threshold: Annotated[float, Range(0.0, 1.0), Label("position threshold")] = 0.1
    """Slices whose positions (0...1) differ by less than this are positives of the instance term."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.1
    """How sharply similar images and pixels are told apart; lower is sharper."""

    intra: Annotated[float, Range(0.0, 10.0), Label("weight of the intra-image contrast")] = 1.0
    """Weight of the contrast between superpixels of one slice."""

    inter: Annotated[float, Range(0.0, 10.0), Label("weight of the inter-image contrast")] = 0.5
    """Weight of the contrast between slices of different structure."""

    graph: Annotated[
        Literal["both_views", "per_image"],
        Label("nodes of the structure graph", choices=("both views", "one per image")),
    ] = "both_views"
    """Nodes of the structure graph: both views of each image (published), or one node for each image."""

    asp_norm: Annotated[
        Literal["image", "region"],
        Label("pooling divides by", choices=("pixels of the image", "pixels of the superpixel")),
    ] = "image"
    """Average superpixel pooling divides by the pixels of the image (published) or of the superpixel."""

    sampling: Annotated[
        Literal["random", "all"],
        Label("contrasted pixels", choices=("drawn at random", "all")),
    ] = "random"
    """Pixels that are contrasted: drawn at random, or all."""

    pixels: Annotated[int, Range(4, 65536), Label("pixels per slice")] = 256
    """Pixels drawn per slice on the grid of the deepest features."""

    superpixels: Annotated[
        Literal["cached", "per_view"], Label("superpixels", choices=("once per slice", "for each view"))
    ] = "cached"
    """Superpixels once per slice, kept on disk, or anew for each view as published, many times slower."""


class Method(PretrainingMethod):
    """SuperCL on the encoder."""

    @classmethod
    def needs_of(cls, settings: Settings) -> tuple[str, ...]:
        return ("regions",) if settings.superpixels == "cached" else ()

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.projector = ImageProjector(width, width, width)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        how = self.settings
        still = intensity_augmentation(
            batch.images.repeat(2, *(1,) * (batch.images.ndim - 1)), generator
        )  # I1, I2: (2B, C, *S)
        pixels = self.network.encode(still)[-1].chunk(2)  # Y1, Y2: (B, D, *s)
        images = self.projector(
            self.network.encode(spatial_augmentation(still, generator))[-1]
        )  # z1, z2: (2B, D)
        maps = [on_feature_grid(regions, pixels[0].shape[2:]) for regions in self._regions(batch, still)]
        # Slices without a place in the body (all slice positions alike) are told apart one by one.
        known = batch.slice_positions.amax() > batch.slice_positions.amin()
        near = near_slice_position(batch.slice_positions, threshold=how.threshold)
        positions = two_views(torch.where(known, near, same_image(batch.slice_positions)))
        self.watch(images, positions)
        return {
            "instance": contrastive_loss(images, positions, temperature=how.temperature),
            "intra": how.intra * self._within(pixels, maps[0], generator),
            "inter": how.inter
            * contrastive_loss(
                images,
                self._alike(pixels, maps, same_image(batch.slice_positions)),
                temperature=how.temperature,
            ),
        }

    def _regions(self, batch: Batch, still: Tensor) -> list[Tensor]:
        """Superpixels of the first and of the second view: (B, *S) each."""
        if self.settings.superpixels == "per_view":
            return list(superpixels_of(still).chunk(2))
        return [batch.region_maps(), batch.region_maps()]

    def _within(self, pixels: tuple[Tensor, ...], regions: Tensor, generator: Generator) -> Tensor:
        """ILCP: a pixel attracts its superpixel in both views, and pushes the rest of its slice away."""
        count = regions[0].numel()
        index = chosen_pixels(
            count, len(regions), generator, how=self.settings.sampling, count=self.settings.pixels
        )
        rows = torch.cat([pick_pixels(view, index) for view in pixels], dim=1)  # (B, 2n, D)
        labels = regions.flatten(1).gather(1, index).repeat(1, 2)
        self.watched["superpixels"] = mean(same_region(labels).float().sum(2).reciprocal().sum(1))
        return contrastive_loss_in_each_image(
            rows, same_region(labels), temperature=self.settings.temperature
        )

    @torch.no_grad()
    def _alike(self, pixels: tuple[Tensor, ...], maps: list[Tensor], own: Tensor) -> Tensor:
        """IGCP: slices whose averaged superpixels link them are positives: (2B, 2B).

        Args:
            own: (B, B) which images are the same.
        """
        views = [
            average_structure(seen, regions, divisor=self.settings.asp_norm)
            for seen, regions in zip(pixels, maps, strict=True)
        ]
        if self.settings.graph == "per_image":
            linked = two_views(connected(nearest_neighbors(views[0] + views[1])))
        else:
            linked = connected(nearest_neighbors(torch.cat(views)))
        count = components(linked)
        self.watched["components"], self.watched["component_size"] = count, len(linked) / count
        return linked | two_views(own)

    def collapse_value(self, images: int) -> float:
        return collapse_value(2 * images, temperature=self.settings.temperature)
