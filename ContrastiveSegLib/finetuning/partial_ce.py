"""Partial cross-entropy: learn from painted voxels alone; the baseline of the strategies for scribbles.

Source: Tang et al., Normalized cut loss for weakly-supervised CNN segmentation, CVPR 2018, arXiv 1804.01346,
the first term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ContrastiveSegLib.finetuning._augmentation import MARGIN, Augmentation
from ContrastiveSegLib.finetuning._losses import partial_cross_entropy
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of partial cross-entropy."""

    rotation: Annotated[float, Range(0.0, 180.0), Label("largest rotation", "degrees")] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: Annotated[bool, Label("mirror patches")] = False
    """Mirror patches at random: for structures that are alike on both sides; prediction then takes longer."""


class Strategy(FinetuningStrategy):
    """Cross-entropy where somebody painted, nothing elsewhere."""

    margin = MARGIN
    learns_from = ("scribbles",)

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        self.network, self.mirrors = network, settings.mirror
        self.augmented = Augmentation(patch, settings.rotation, mirror=settings.mirror, beyond=IGNORE_LABEL)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        images, labels = self.augmented(batch, generator)
        return {"scribbles": partial_cross_entropy(self.network(images), labels)}
