"""WCL: slices linked by a graph of nearest neighbors share a weak label, besides their own two views.

Source: Zheng et al., Weakly supervised contrastive learning, ICCV 2021, arXiv 2110.04770: the graph of one
view gives the positives of the other, on a second projector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.graphs import components, connected, nearest_neighbors
from ContrastiveSegLib.contrast.losses import collapse_value, contrastive_loss
from ContrastiveSegLib.contrast.positives import same_image, two_views
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of WCL."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.1
    """How sharply similar images are told apart; lower is sharper."""

    weight: Annotated[float, Range(0.0, 10.0), Label("weight of the weak labels")] = 1.0
    """Weight of the weak labels beside the instance term."""


class Method(PretrainingMethod):
    """WCL on the encoder."""

    smallest_batch = 4  # fewer images are all linked to each other

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.projector = ImageProjector(width, width, width)
        self.weak_projector = ImageProjector(width, width, width)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        temperature = self.settings.temperature
        deepest = self.network.encode(two_random_views(batch.images, generator))[-1]
        instances = self.projector(deepest)  # (2B, D)
        positives = two_views(same_image(batch.slice_positions))
        self.watch(instances, positives)
        views = self.weak_projector(deepest).chunk(2)
        linked = [connected(nearest_neighbors(view)) for view in views]  # (B, B) each
        self.watched["components"] = components(linked[0])
        weak = [contrastive_loss(views[v], linked[1 - v], temperature=temperature) for v in (0, 1)]
        return {
            "instance": contrastive_loss(instances, positives, temperature=temperature),
            "weak_label": self.settings.weight * torch.stack(weak).mean(),
        }

    def collapse_value(self, images: int) -> float:
        return collapse_value(2 * images, temperature=self.settings.temperature)
