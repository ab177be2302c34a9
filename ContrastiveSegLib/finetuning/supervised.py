"""Supervised: learn from fully annotated cases with Dice and cross-entropy.

Source: the recipe of Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z: Dice
plus cross-entropy, half of the patches where a structure is, strong spatial and intensity augmentation.
Networks with deep supervision are taught at every resolution they give scores for; its supplement has the
weights: halved with every coarser one, together 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from monai.losses import DiceCELoss
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.contrast.views import Appearance, Movement, random_grid, recolor, warp
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.runs.settings import Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of supervised fine-tuning."""

    rotation: Annotated[float, Range(0.0, 180.0)] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: bool = True
    """Mirror patches at random. Turn off when left and right are different structures."""


class Strategy(FinetuningStrategy):
    """Dice and cross-entropy on augmented patches."""

    margin = 1.3

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        self.network, self.patch, self.mirrors = network, tuple(patch), settings.mirror
        self.movement = Movement(
            rotation=math.radians(settings.rotation),
            scale=0.25,
            shift=0.0,
            flip=settings.mirror,
            elastic=0.01,
        )
        self.appearance = Appearance(
            brightness=0.25, contrast=0.25, gamma=0.4, noise=0.05, blur=0.7, probability=0.3
        )
        # One Dice over the batch: a slice without the structure would otherwise count as a full miss.
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        images, labels = self.augmented(batch, generator)
        maps = self.network.training_scores(images)  # (B, classes, *S / 2^n), fine to coarse
        weights = [0.5**n for n in range(len(maps))]
        losses = [
            weight / sum(weights) * self.loss(scores.float(), _resized(labels, scores.shape[2:])[:, None])
            for weight, scores in zip(weights, maps, strict=True)
        ]
        return {"dice_ce": torch.stack(losses).sum()}

    @torch.no_grad()
    def augmented(self, batch: Batch, generator: Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, *patch) and labels (B, *patch), moved alike."""
        if batch.labels is None:
            raise ValueError("supervised fine-tuning needs a batch with labels")
        grid = random_grid(batch.images, self.movement, generator, size=self.patch)
        images = recolor(warp(batch.images, grid), self.appearance, generator)
        return images, warp(batch.labels[:, None].float(), grid, mode="nearest")[:, 0].long()


def _resized(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Labels (B, *S) at another size, each position the nearest of the old ones."""
    if labels.shape[1:] == tuple(size):
        return labels
    # Plain "nearest" takes a corner of each group of positions, which would shift the labels.
    return F.interpolate(labels[:, None].float(), size, mode="nearest-exact")[:, 0].long()
