"""Supervised: learn from annotated cases or slices with Dice and cross-entropy.

Source: the recipe of Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z: Dice
plus cross-entropy, half of the patches where a structure is, strong spatial and intensity augmentation.
Networks with deep supervision are taught at every resolution they give scores for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.distributed.gathering import total
from ContrastiveSegLib.finetuning._augmentation import MARGIN, Augmentation
from ContrastiveSegLib.finetuning._losses import dice_ce_at_every_level, risen
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of supervised fine-tuning."""

    rotation: Annotated[float, Range(0.0, 180.0), Label("largest rotation", "degrees")] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: Annotated[bool, Label("mirror patches")] = False
    """Mirror patches at random: for structures that are alike on both sides; prediction then takes longer."""

    consistency: Annotated[float, Range(0.0, 100.0), Label("weight of the consistency")] = 0.0
    """Weight of equal predictions of ignored voxels when gray values change; doubles the time; 0: off."""


class Strategy(FinetuningStrategy):
    """Dice and cross-entropy on augmented patches, where something is annotated."""

    margin = MARGIN
    learns_from = ("cases", "slices")

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.mirrors, self.draws_unknown = settings.mirror, settings.consistency > 0
        self.augmented = Augmentation(patch, settings.rotation, mirror=settings.mirror)

    @classmethod
    def why_no_scans(cls, settings: Settings, patients: int) -> str:
        return "" if settings.consistency > 0 else super().why_no_scans(settings, patients)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        moved, labels = self.augmented.spatial_augmentation(batch, generator)
        maps = self.network.training_scores(
            self.augmented.intensity_augmentation(moved, generator)
        )  # fine to coarse
        terms = {"dice_ce": dice_ce_at_every_level(maps, labels)}
        if self.settings.consistency:
            with torch.no_grad():
                other = self.network(self.augmented.intensity_augmentation(moved, generator))
            weight = self.settings.consistency * risen(self.progress)
            terms["consistency"] = weight * disagreement(maps[0], other, labels == IGNORE_LABEL)
        return terms


def disagreement(scores: Tensor, others: Tensor, where: Tensor) -> Tensor:
    """Mean squared difference of the probabilities of two maps (B, classes, *S), `where` (B, *S) says."""
    apart = (scores.float().softmax(1) - others.float().softmax(1)).square().mean(1)
    return total((apart * where).sum()) / total(where.sum()).clamp(min=1)
