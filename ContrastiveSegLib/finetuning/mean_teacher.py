"""Mean teacher: an average of past networks labels scans without annotation, as a target for changed views.

Source: docs/strategies/mean_teacher.md: Tarvainen and Valpola, Mean teachers,
NeurIPS 2017, arXiv 1703.01780; weak to strong and the stream of features as Yang et al., Revisiting
weak-to-strong consistency, CVPR 2023, arXiv 2208.09910; `mix = bcp` as Bai et al., Bidirectional copy-paste,
CVPR 2023, arXiv 2305.00673, with thresholds instead of its largest piece, which would take one kidney.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import IntensityAugmentation, augment_intensities
from ContrastiveSegLib.distributed.gathering import mean, of_all, own, picked, total
from ContrastiveSegLib.finetuning._augmentation import MARGIN, Augmentation
from ContrastiveSegLib.finetuning._losses import dice_ce, dice_ce_at_every_level, risen
from ContrastiveSegLib.finetuning._mixing import laid_on, random_boxes
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.momentum_encoder import MomentumEncoder
from ContrastiveSegLib.networks.second_decoder import count_classes
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch

STRONG = IntensityAugmentation(brightness=0.4, contrast=0.4, gamma=0.6, noise=0.07, blur=1.0, probability=0.6)
RISE = 0.25  # of the steps with scans, over which the weight of what the teacher says rises
THRESHOLD_MOMENTUM = 0.99
BOX_OF_BCP = 2 / 3  # of each side


@dataclass(frozen=True)
class Settings:
    """Settings of the mean teacher."""

    rotation: Annotated[float, Range(0.0, 180.0), Label("largest rotation", "degrees")] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: Annotated[bool, Label("mirror patches")] = False
    """Mirror patches at random: for structures that are alike on both sides; prediction then takes longer."""

    mix: Annotated[
        Literal["none", "cutmix", "bcp"],
        Label("mixed patches", choices=("none", "boxes (CutMix)", "boxes both ways (BCP)")),
    ] = "cutmix"
    """Paste boxes between scans without annotation, or (bcp) between these and annotated ones, both ways."""

    unimatch: Annotated[bool, Label("feature perturbation (UniMatch)")] = False
    """Also predict from features with half of their channels dropped; takes a third more time."""

    first_steps: Annotated[float, Range(0.0, 0.9), Label("steps with annotations alone", "share")] = 0.5
    """Share of the steps, at the beginning, that use annotated cases alone, until the teacher has learned."""

    weight: Annotated[float, Range(0.0, 10.0), Label("weight of the teacher")] = 0.5
    """Weight of the teacher's labels beside the annotations; it rises over a quarter of the later steps."""

    decay: Annotated[float, Range(0.0, 0.9999), Label("EMA decay of the teacher")] = 0.99
    """Share of the teacher's weights that is kept at each step, after the first steps."""


class Strategy(FinetuningStrategy):
    """The network, and its own past as a teacher for patches that nobody annotated."""

    margin = MARGIN
    two_streams = True
    learns_from = ("cases", "slices")
    steps: Tensor
    confidence: Tensor

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, self.mirrors = network, settings, settings.mirror
        self.first_steps = settings.first_steps
        self.teacher = MomentumEncoder(network)
        self.augmented = Augmentation(patch, settings.rotation, mirror=settings.mirror)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        # Of each class, as the teacher usually gives it.
        self.register_buffer("confidence", torch.full((count_classes(network, patch),), 0.5))

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        moved, labels = self.augmented.spatial_augmentation(batch, generator)
        if batch.unannotated is None:
            maps = self.network.training_scores(
                self.augmented.intensity_augmentation(moved, generator)
            )  # fine to coarse
            return {"dice_ce": dice_ce_at_every_level(maps, labels)}
        self._follow()
        drawn, scans = moved[~batch.unannotated], moved[batch.unannotated]
        known, guessed = labels[~batch.unannotated], self._guess(scans)
        later = (self.progress - self.first_steps) / (1 - self.first_steps)
        weight = self.settings.weight * risen(later / RISE)
        images = self.augmented.intensity_augmentation(drawn, generator)
        if self.settings.mix == "bcp":
            return self._copied_both_ways((images, known), (scans, guessed), weight, generator)
        views = [self._strong(scans, guessed, generator) for _ in range(2)]
        # In one pass, so that batch norm sees annotated patches and scans together.
        maps = self.network.training_scores(torch.cat([images, *(view for view, _ in views)]))
        count = len(images)
        terms = {"dice_ce": dice_ce_at_every_level([scores[:count] for scores in maps], known)}
        both = dice_ce(maps[0][count:], torch.cat([wanted for _, wanted in views]))
        share = 0.5 if self.settings.unimatch else 1.0
        terms["strong_views"] = share * weight * both
        if self.settings.unimatch:
            terms["features"] = (1 - share) * weight * self._without_features(scans, guessed, generator)
        return terms

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the teacher towards the network; it begins as what the annotated cases alone have taught."""
        steps = int(self.steps)
        self.teacher.follow(self.network, min(1 - 1 / (steps + 1), self.settings.decay))
        self.steps += 1

    @torch.no_grad()
    def _guess(self, scans: Tensor) -> Tensor:
        """What the teacher says of images (B, C, *S), IGNORE_LABEL where it is unsure: (B, *S).

        Each structure has a threshold of its own, its usual confidence; background that of the structures,
        because nearly all of it is far away and certain.
        """
        certain, guess = self.teacher(scans).float().softmax(1).max(1)
        usual, flat = self.confidence, guess.flatten()
        counts = total(torch.bincount(flat, minlength=len(usual)))
        means = total(torch.bincount(flat, certain.flatten(), minlength=len(usual))) / counts.clamp(min=1)
        momentum = min(1 - 1 / int(self.steps), THRESHOLD_MOMENTUM)
        usual.copy_(torch.where(counts > 0, torch.lerp(means.to(usual), usual, momentum), usual))
        limits = usual.clone()
        limits[0] = usual[1:].mean()
        taught = certain >= limits[guess]
        self.watched = {
            "taught_share": mean(taught.float()),
            "structure_share": total((taught & (guess > 0)).sum()) / total((guess > 0).sum()).clamp(min=1),
        }
        return torch.where(taught, guess, IGNORE_LABEL)

    def _strong(self, scans: Tensor, guessed: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """A view with other gray values, boxes of other scans laid on it, and the labels of both."""
        view = augment_intensities(scans, STRONG, generator)
        if self.settings.mix == "none":
            return view, guessed
        boxes = random_boxes(view, generator)
        order = own(torch.randperm(of_all(len(view)), generator=generator, device=view.device))
        return laid_on(boxes, picked(view, order), view), laid_on(boxes, picked(guessed, order), guessed)

    def _copied_both_ways(
        self,
        annotated: tuple[Tensor, Tensor],
        scans: tuple[Tensor, Tensor],
        weight: float,
        generator: Generator,
    ) -> dict[str, Tensor]:
        """Scans around boxes of annotated patches, and annotated patches around boxes of scans."""
        count = min(len(annotated[0]), len(scans[0]))
        images, known = (each[:count] for each in annotated)
        others, guessed = augment_intensities(scans[0][:count], STRONG, generator), scans[1][:count]
        order = own(torch.randperm(of_all(count), generator=generator, device=images.device))
        boxes = random_boxes(images, generator, sides=BOX_OF_BCP)
        turned = picked(images, order), picked(known, order)
        inside = laid_on(boxes, images, others), laid_on(boxes, turned[0], others, swapped=True)
        nothing = torch.full_like(known, IGNORE_LABEL)
        drawn = laid_on(boxes, known, nothing), laid_on(boxes, turned[1], nothing, swapped=True)
        said = laid_on(boxes, nothing, guessed), laid_on(boxes, nothing, guessed, swapped=True)
        maps = self.network.training_scores(torch.cat(inside))
        return {
            "dice_ce": dice_ce_at_every_level(maps, torch.cat(drawn)),
            "pasted": 0.5 * weight * dice_ce(maps[0], torch.cat(said)),
        }

    def _without_features(self, scans: Tensor, guessed: Tensor, generator: Generator) -> Tensor:
        """The loss where half of the channels of every level are dropped."""
        features = [_half_of(level, generator) for level in self.network.encode(scans)]
        return dice_ce(self.network.head(self.network.decode(features)), guessed)


def _half_of(features: Tensor, generator: Generator) -> Tensor:
    """Features (B, D, *S) with half of the channels of each image 0 and the others doubled."""
    drawn = torch.rand(of_all(len(features)), features.shape[1], generator=generator, device=features.device)
    kept = own(drawn) >= 0.5
    return 2 * features * kept.view(*kept.shape, *(1,) * (features.ndim - 2))
