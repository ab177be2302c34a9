"""SwAV: views of a slice are assigned to the same prototypes, all of which are used alike.

Source: Caron et al., Unsupervised learning of visual features by contrasting cluster assignments,
NeurIPS 2020, arXiv 2006.09882; two full crops, no queue, as configured for SuperCL and MACL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import two_random_views
from ContrastiveSegLib.contrast.clusters import balanced_assignments, swapped_loss
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import ImageProjector, Prototypes
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Formerly, Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of SwAV."""

    prototypes: Annotated[int, Range(2, 100_000), Label("prototypes")] = 300
    """Number of clusters; published 3000 for a thousand classes of photographs."""

    epsilon: Annotated[
        float, Range(0.001, 1.0), Formerly("sharpness"), Label("entropy of the assignments")
    ] = 0.05
    """Entropy of the assignments (epsilon); smaller is harder."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.1
    """How sharply prototypes are told apart; lower is sharper."""

    freeze_prototypes: Annotated[
        float, Range(0.0, 1.0), Formerly("frozen"), Label("share with fixed prototypes")
    ] = 0.02
    """Part of the training during which the prototypes stay where they are."""


class Method(PretrainingMethod):
    """SwAV on the encoder."""

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        self.projector = ImageProjector(width, width, width)
        self.prototypes = Prototypes(width, settings.prototypes)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        how = self.settings
        features = self.projector(self.network.encode(two_random_views(batch.images, generator))[-1])
        self.watch(features)
        views = self.prototypes(features, frozen=self.progress < how.freeze_prototypes).chunk(2)
        targets = [balanced_assignments(view.detach(), epsilon=how.epsilon) for view in views]
        losses = [swapped_loss(views[v], targets[1 - v], temperature=how.temperature) for v in (0, 1)]
        return {"assignment": torch.stack(losses).mean()}
