"""Self-training: a network labels the scans nobody annotated, and learns on, from these labels too.

Source: docs/strategies/self_training.md; rounds as Xie et al., Self-training
with noisy student, CVPR 2020, arXiv 1911.04252. Without such scans nothing but `supervised` is left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import IntensityAugmentation, augment_intensities
from ContrastiveSegLib.finetuning._augmentation import MARGIN, Augmentation
from ContrastiveSegLib.finetuning._losses import dice_ce_at_every_level
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch

# What the teacher was sure of must also be found under other gray values: that is what the student adds.
STRONG = IntensityAugmentation(brightness=0.4, contrast=0.4, gamma=0.6, noise=0.07, blur=1.0, probability=0.6)


@dataclass(frozen=True)
class Settings:
    """Settings of self-training."""

    rotation: Annotated[float, Range(0.0, 180.0), Label("largest rotation", "degrees")] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: Annotated[bool, Label("mirror patches")] = False
    """Mirror patches at random: for structures that are alike on both sides; prediction then takes longer."""

    rounds: Annotated[int, Range(1, 10), Label("rounds of self-training")] = 2
    """How often the scans without annotation are labeled and learned from; each round is another training."""

    continued: Annotated[bool, Label("rounds continue the network")] = True
    """A round goes on from the network of the round before, instead of from the start of the first one."""

    coarse_to_fine: Annotated[bool, Label("faster: coarse rounds first")] = False
    """In 2D, all rounds but the last see half the resolution: faster, but not proven to be as accurate."""

    most_patients: Annotated[int, Range(1, 100_000), Label("annotated patients, at most")] = 2
    """With more annotated patients than this, only these teach: other scans did not help then."""

    pseudo_weight: Annotated[float, Range(0.0, 10.0), Label("weight of the pseudo-labels")] = 0.5
    """Weight of the predicted labels beside the drawn ones."""

    unknown_first: Annotated[float, Range(0.0, 0.95), Label("ignored voxels in round 1", "share")] = 0.0
    """Share of each structure's predicted voxels, the least certain ones, that do not teach in round 1."""

    unknown_later: Annotated[float, Range(0.0, 0.95), Label("ignored voxels later", "share")] = 0.0
    """The same share in later rounds."""

    last_steps: Annotated[float, Range(0.0, 0.9), Label("steps with annotations alone", "share")] = 0.1
    """Share of the steps, at the end of each round, that see annotated cases alone."""


class Strategy(FinetuningStrategy):
    """Dice and cross-entropy on annotated patches, and on patches whose labels the round before predicted."""

    margin = MARGIN
    two_streams = True
    learns_from = ("cases", "slices", "scribbles")

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, self.mirrors = network, settings, settings.mirror
        self.rounds, self.last_steps = self.rounds_of(settings), settings.last_steps
        self.continues = settings.continued
        self.augmented = Augmentation(patch, settings.rotation, mirror=settings.mirror)

    @classmethod
    def rounds_of(cls, settings: Settings) -> int:
        return settings.rounds

    @classmethod
    def coarse_first(cls, settings: Settings) -> bool:
        return settings.coarse_to_fine

    @classmethod
    def first_strategy(cls, kinds: Collection[str], dims: int) -> str:
        # Dice needs whole slices, and scribbles have none before a network completed them.
        if "scribbles" not in kinds:
            return ""
        return "pclmix" if dims == 2 else "dmpls"

    @classmethod
    def why_no_scans(cls, settings: Settings, patients: int) -> str:
        if patients <= settings.most_patients:
            return ""
        return (
            f"{patients} patients are annotated, and with more than {settings.most_patients} other scans did "
            f"not help in our measurements. To learn from them all the same, give --most-patients {patients}"
        )

    def unknown(self, number: int) -> float:
        return self.settings.unknown_first if number == 1 else self.settings.unknown_later

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        moved, labels = self.augmented.spatial_augmentation(batch, generator)
        if batch.unannotated is None:
            maps = self.network.training_scores(
                self.augmented.intensity_augmentation(moved, generator)
            )  # fine to coarse
            return {"dice_ce": dice_ce_at_every_level(maps, labels)}
        drawn, predicted = ~batch.unannotated, batch.unannotated
        images = torch.cat(
            [
                self.augmented.intensity_augmentation(moved[drawn], generator),
                augment_intensities(moved[predicted], STRONG, generator),
            ]
        )
        maps = self.network.training_scores(images)
        count = int(drawn.sum())
        return {
            "dice_ce": dice_ce_at_every_level([scores[:count] for scores in maps], labels[drawn]),
            "pseudo_labels": self.settings.pseudo_weight
            * dice_ce_at_every_level([scores[count:] for scores in maps], labels[predicted]),
        }
