"""DMPLS: two decoders teach each other with a random mixture of what they predict; from scribbles, 2D and 3D.

Source: Luo et al., Scribble-supervised medical image segmentation via dual-branch network and dynamically
mixed pseudo labels supervision, MICCAI 2022, arXiv 2203.02106; docs/strategies/dmpls.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from monai.networks import one_hot
from torch import Generator, Tensor

from ContrastiveSegLib.distributed.gathering import of_all, own
from ContrastiveSegLib.finetuning._augmentation import MARGIN, Augmentation
from ContrastiveSegLib.finetuning._losses import dice_loss, partial_cross_entropy
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.second_decoder import ConvolutionalDecoder
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of DMPLS."""

    rotation: Annotated[float, Range(0.0, 180.0), Label("largest rotation", "degrees")] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: Annotated[bool, Label("mirror patches")] = False
    """Mirror patches at random: for structures that are alike on both sides; prediction then takes longer."""

    dropout: Annotated[float, Range(0.0, 0.9), Label("feature dropout")] = 0.5
    """Share of the features that the second decoder does not see."""

    pseudo_weight: Annotated[float, Range(0.0, 10.0), Label("weight of the pseudo-labels")] = 0.5
    """Weight of the mixed pseudo-labels beside the scribbles."""


class Strategy(FinetuningStrategy):
    """The scribbles teach both decoders, and so do the labels they agree on with random weights."""

    margin = MARGIN
    learns_from = ("scribbles",)

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, self.mirrors = network, settings, settings.mirror
        self.second = ConvolutionalDecoder(network)
        self.augmented = Augmentation(patch, settings.rotation, mirror=settings.mirror, beyond=IGNORE_LABEL)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        images, labels = self.augmented(batch, generator)
        features = self.network.encode(images)
        hidden = [dropped(level, self.settings.dropout, generator) for level in features]
        first = self.network.head(self.network.decode(features)).float()  # (B, classes, *S)
        second = self.second(hidden).float()
        mixed = one_hot(mixed_labels(first, second, generator)[:, None], num_classes=first.shape[1])
        known = partial_cross_entropy(first, labels) + partial_cross_entropy(second, labels)
        dice = dice_loss(first.softmax(1), mixed) + dice_loss(second.softmax(1), mixed)
        return {"scribbles": 0.5 * known, "pseudo_labels": self.settings.pseudo_weight * 0.5 * dice}


def dropped(features: Tensor, share: float, generator: Generator) -> Tensor:
    """Set this share of the features to zero and enlarge the others, so that the mean stays."""
    shape = of_all(len(features)), *features.shape[1:]
    kept = own(torch.rand(shape, generator=generator, device=features.device)) >= share
    return features * kept / (1 - share)


@torch.no_grad()
def mixed_labels(first: Tensor, second: Tensor, generator: Generator) -> Tensor:
    """The winners of the probabilities of two score maps, weighed at random: (B, C, *S) to (B, *S)."""
    weight = torch.rand((), generator=generator, device=first.device)
    return (weight * first.softmax(1) + (1 - weight) * second.softmax(1)).argmax(1)
