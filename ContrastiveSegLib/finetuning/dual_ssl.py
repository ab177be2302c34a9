"""Dual self-supervision: contrast structures with their surroundings, restore images; for one source.

Source: Li et al., Dual self-supervised learning for single-source generalizable pancreas segmentation, IEEE
JBHI 2023, arXiv 2505.07165, as far as its abstract goes; contrast after the authors' later code, restoration
as in docs/strategies/dual_ssl.md. All terms are learned together, on the augmented patches that
`supervised` sees; with both modules off nothing but `supervised` is left. The paper has one organ. With
several, each has a class of its own in the contrast (`_structure.py`), and a region is uncertain along
the border of any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.contrast.losses import labeled_pairs_loss
from ContrastiveSegLib.distributed.gathering import mean, total
from ContrastiveSegLib.finetuning._augmentation import MARGIN, Augmentation
from ContrastiveSegLib.finetuning._corruption import corrupted, uncertain_region
from ContrastiveSegLib.finetuning._losses import dice_ce, dice_ce_at_every_level
from ContrastiveSegLib.finetuning._random_convolution import randomly_convolved
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.finetuning._structure import structure_cells
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import CONV
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch

PROJECTED = 32  # channels that are contrasted
STRIDES = (8, 4)  # of the contrasted features in plane: the first that leaves enough cells
ENOUGH_CELLS = 20  # along the shorter side; the paper's patches have 20 to 46
ENTROPY_FROM = 1 / 15  # of the training: 10 of 150 epochs; before, what the network doubts is noise
INTACT = 0.1  # weight of the error where nothing was corrupted


@dataclass(frozen=True)
class Settings:
    """Settings of dual self-supervision."""

    contrast: Annotated[bool, Label("contrast structures")] = True
    """Contrast features on the skeleton of each structure with features in a ring around it."""

    restoration: Annotated[bool, Label("restore corrupted blocks")] = True
    """Restore blocks that were corrupted where the segmentation is uncertain."""

    contrast_weight: Annotated[float, Range(0.0, 10.0), Label("weight of the contrast")] = 0.1
    """Weight of the contrast."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.05
    """How sharply structure and surroundings are told apart; lower is sharper."""

    restoration_weight: Annotated[float, Range(0.0, 100.0), Label("weight of the restoration")] = 1.0
    """Weight of the squared error of restored blocks."""

    corrupted_weight: Annotated[float, Range(0.0, 10.0), Label("weight of corrupted images")] = 0.5
    """Weight of segmenting the corrupted image too."""

    blocks: Annotated[int, Range(1, 100), Label("corrupted blocks per image")] = 8
    """Blocks that are corrupted in each image."""

    random_convolution: Annotated[bool, Label("random convolutions")] = False
    """Demand the same segmentation of two randomly convolved views too; not part of the named method."""

    rotation: Annotated[float, Range(0.0, 180.0), Label("largest rotation", "degrees")] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: Annotated[bool, Label("mirror patches")] = False
    """Mirror patches at random: for structures that are alike on both sides; prediction then takes longer."""


class Strategy(FinetuningStrategy):
    """Segmentation with structure-guided contrast and restoration of uncertain regions."""

    margin = MARGIN
    learns_from = ("cases", "slices")

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, self.mirrors = network, settings, settings.mirror
        self.augmented = Augmentation(patch, settings.rotation, mirror=settings.mirror)
        self.level = contrasted_level(network, patch)
        # A flat block has thick slices: what is near in plane is far across them.
        self.reach = min(1.0, 2 * patch[0] / patch[-1]) if len(patch) == 3 else 1.0
        if settings.contrast:
            self.projection = nn.Linear(network.widths[self.level], PROJECTED)
        if settings.restoration:
            self.restore = CONV[len(patch)](network.widths[0], network.in_channels, 1)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        how = self.settings
        images, labels = self.augmented(batch, generator)
        features = self.network.encode(images)
        maps = self.network.scores_at_every_level(features)
        terms = {"dice_ce": dice_ce_at_every_level(maps, labels)}
        if how.contrast:
            classes = maps[0].shape[1]
            terms["contrast"] = how.contrast_weight * self._contrast(
                features[self.level], labels, classes, generator
            )
        if how.restoration:
            terms |= self._restoration(images, labels, maps[0].detach(), generator)
        if how.random_convolution:
            terms["consistency"] = self._disagreement(images, generator)
        return terms

    def _contrast(self, features: Tensor, labels: Tensor, classes: int, generator: Generator) -> Tensor:
        """How little skeletons and surroundings are told apart in features (B, D, *size)."""
        cells = structure_cells(labels, features.shape[2:], classes, generator, reach=self.reach)
        with torch.autocast(features.device.type, enabled=False):
            # A convolution of one voxel, computed only where it is looked at.
            rows = self.projection(cells.of(features).float()).relu()
        return labeled_pairs_loss(rows, cells.classes, temperature=self.settings.temperature)

    def _restoration(
        self, images: Tensor, labels: Tensor, scores: Tensor, generator: Generator
    ) -> dict[str, Tensor]:
        """Segment and restore the image with corrupted blocks."""
        how = self.settings
        where = uncertain_region(labels, scores, entropy=self.progress > ENTROPY_FROM, reach=self.reach)
        damaged, mask = corrupted(images, where, generator, blocks=how.blocks)
        decoded = self.network.decode(self.network.encode(damaged))
        restored = self.restore(decoded).float().sigmoid()
        return {
            "restoration": how.restoration_weight * restoration_error(restored, images, mask),
            "dice_ce_corrupted": how.corrupted_weight * dice_ce(self.network.head(decoded), labels),
        }

    def _disagreement(self, images: Tensor, generator: Generator) -> Tensor:
        """1 - cosine of the structures' probabilities in two randomly convolved views."""
        one, other = (
            self.network(randomly_convolved(images, generator)).float().softmax(1)[:, 1:].flatten(1)
            for _ in range(2)
        )
        return mean(1 - F.cosine_similarity(one, other))


def contrasted_level(network: Backbone, patch: Sequence[int]) -> int:
    """Which of the features that `encode` returns is contrasted: stride 8, or 4 for small patches."""
    enough = [stride for stride in STRIDES if min(patch[-2:]) >= ENOUGH_CELLS * stride]
    stride = enough[0] if enough else STRIDES[-1]
    return min(round(math.log2(stride)), len(network.widths) - 1)  # each level halves the axes in plane


def restoration_error(restored: Tensor, images: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error where the image was corrupted, and a tenth of that elsewhere.

    Args:
        restored: (B, C, *S), 0...1.
        images: (B, C, *S), the image before; what augmentation pushed out of 0...1 is brought back.
        mask: (B, *S) what was corrupted.
    """
    errors = (restored - images.clamp(0, 1)).square().mean(1)
    return _mean_where(errors, mask) + INTACT * _mean_where(errors, ~mask)


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return total((values * mask).sum()) / total(mask.sum()).clamp(min=1)
