"""PolyCL: the positive of a slice is one of the same scan or with the same organ, the negative another one.

Source: PolyCL, MELBA 2026:002, arXiv 2505.19208; docs/methods/polycl.md. The views are
other slices, not augmented copies. Selection S needs nothing but the scans, and so can only learn what tells
one scan from another; O and M learn where the organ is, from one flag per slice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Generator, Tensor, nn

from ContrastiveSegLib.contrast.losses import triplet_loss
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import average
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch
from ContrastiveSegLib.training.slice_pairs import Triplet


@dataclass(frozen=True)
class Settings:
    """Settings of PolyCL."""

    selection: Annotated[
        Literal["S", "O", "M"], Label("positives", choices=("same scan", "same organ visible", "both"))
    ] = "S"
    """Positives: S of the same scan, O with the same slice-level label, M both; O and M need such labels."""

    m_negative: Annotated[
        Literal["other_scan", "same_scan"],
        Label('negatives of "both"', choices=("another scan", "the same scan")),
    ] = "other_scan"
    """Negatives of M: of another scan, as the authors' code, or of the same scan, as the paper's figure."""

    central: Annotated[float, Range(0.05, 1.0), Label("central part of each scan")] = 1.0
    """Part of each scan, around its middle, that takes part; published 0.3, for the liver."""

    temperature: Annotated[float, Range(0.01, 10.0), Label("temperature of the contrast")] = 0.5
    """How sharply positive and negative are told apart; lower is sharper."""


class Projector(nn.Module):
    """Shrink once more, average, one linear layer: (B, D, *S) to (B, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        pool = nn.functional.adaptive_max_pool2d
        smaller = [max(1, n // 2) for n in features.shape[2:]]
        with torch.autocast(features.device.type, enabled=False):
            return self.linear(average(pool(features.float(), smaller)))


class Method(PretrainingMethod):
    """PolyCL on the encoder."""

    dims = (2,)
    smallest_batch = 1  # each image brings its own negative

    @classmethod
    def needs_of(cls, settings: Settings) -> tuple[str, ...]:
        return {"S": ("scans",), "O": ("slice labels",), "M": ("slice labels",)}[settings.selection]

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.partners = Triplet(settings.selection, settings.m_negative, settings.central)
        self.projector = Projector(network.widths[-1])

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:  # noqa: ARG002 (no views)
        positives, negatives = batch.companions()
        images = torch.cat([batch.images, positives, negatives])
        features = self.projector(self.network.encode(images)[-1])
        self.watch(features)
        return {"triplet": triplet_loss(*features.chunk(3), temperature=self.settings.temperature)}

    def collapse_value(self, images: int) -> float:  # noqa: ARG002 (the same for any number)
        return math.log(2)
