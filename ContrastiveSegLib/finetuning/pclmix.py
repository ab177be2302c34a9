"""PCLMix: learn from scribbles with two different decoders, mixed slices, and contrast of certain pixels.

Source: Lei et al., PCLMix: weakly supervised medical image segmentation via pixel-level contrastive learning
and dynamic mix augmentation, ICIC 2024, arXiv 2405.06288; docs/strategies/pclmix.md. Different
from the released code: background has a memory of its own, classes without memory are left out, a step
without anchors costs nothing, the decoders are compared by probabilities, and all ramps follow the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import mean, total
from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.finetuning._augmentation import MARGIN, Augmentation
from ContrastiveSegLib.finetuning._certainty import (
    AnchorLimits,
    certain_labels,
    choose_anchors,
    entropy_limit,
    on_cells,
)
from ContrastiveSegLib.finetuning._losses import partial_cross_entropy, risen
from ContrastiveSegLib.finetuning._memory import ClassMemory, memory_contrast
from ContrastiveSegLib.finetuning._mixing import Mix, random_mix
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.second_decoder import ConvolutionalDecoder, count_classes
from ContrastiveSegLib.networks.window_decoder import WindowDecoder
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch

CELLS = 3  # the level of the encoder at an eighth of the resolution
EMBEDDING = 256


@dataclass(frozen=True)
class Settings:
    """Settings of PCLMix."""

    rotation: Annotated[float, Range(0.0, 180.0), Label("largest rotation", "degrees")] = 30.0
    """Largest rotation in plane that augmentation draws, in degrees."""

    mirror: Annotated[bool, Label("mirror patches")] = False
    """Mirror patches at random: for structures that are alike on both sides; prediction then takes longer."""

    mix: Annotated[
        Literal["off", "static", "dynamic"],
        Label("mixed slices", choices=("none", "fixed roles", "random roles")),
    ] = "dynamic"
    """How slices are mixed: not at all, with fixed roles of the two decoders, or with random roles."""

    contrast: Annotated[bool, Label("contrast pixels with prototypes")] = True
    """Compare pixels of which the decoders are certain with earlier features of their class."""

    het: Annotated[bool, Label("let the decoders agree")] = True
    """Ask the two decoders to agree."""

    aux: Annotated[
        Literal["cnn", "swin"], Label("second decoder", choices=("convolutions", "windowed attention"))
    ] = "swin"
    """The second decoder: convolutions like the first, or attention within shifted windows."""

    lambda_t: Annotated[float, Range(0.0, 10.0), Label("weight of the second decoder")] = 0.4
    """Weight of the second decoder beside the first."""

    lambda_ctr: Annotated[float, Range(0.0, 10.0), Label("weight of the contrast")] = 0.1
    """Weight of the contrast at the end of training; it rises from zero."""

    w_het: Annotated[float, Range(0.0, 100.0), Label("weight of the agreement")] = 1.0
    """Weight of the agreement at the end of its rise."""

    rise: Annotated[float, Range(0.001, 1.0), Label("rise of the agreement", "share")] = 1.0
    """Share of the training over which the weight of the agreement rises."""

    contrast_from: Annotated[float, Range(0.0, 1.0), Label("start of the contrast", "share")] = 0.0167
    """Share of the training that passes before pixels are compared; published: 1000 of 60 000 steps."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.07
    """How sharply similar pixels are told apart; lower is sharper."""

    memory: Annotated[int, Range(1, 100_000), Label("remembered means per class")] = 500
    """How many mean features of each class, background included, are kept."""

    fewest_cells: Annotated[int, Range(1, 10_000), Label("fewest cells of a class")] = 8
    """Cells of 8 x 8 pixels that a class needs in a slice to be compared. The number of the paper would leave
    out every structure smaller than an eighth of the image."""


class Strategy(FinetuningStrategy):
    """PCLMix around a network, whose own decoder predicts later; the second one only helps it learn."""

    margin = MARGIN
    learns_from = ("scribbles",)

    def __init__(self, network: Backbone, patch: Sequence[int], settings: Settings) -> None:
        super().__init__()
        if len(patch) != 2:
            raise BadSetting(
                f"PCLMix learns from slices, but the patches are blocks of {' x '.join(map(str, patch))}.",
                "Choose --spatial-dims 2, or --strategy dmpls or partial_ce, which learn from blocks too.",
            )
        self.network, self.settings, self.mirrors = network, settings, settings.mirror
        self.augmented = Augmentation(patch, settings.rotation, mirror=settings.mirror, beyond=IGNORE_LABEL)
        self.classes = count_classes(network, patch)
        self.second: nn.Module = (
            WindowDecoder(network.widths, self.classes)
            if settings.aux == "swin"
            else ConvolutionalDecoder(network)
        )
        if settings.contrast:
            self.embedding = embedding_head(network.widths[CELLS])
            self.memory = ClassMemory(self.classes, settings.memory, EMBEDDING)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        settings, (images, labels) = self.settings, self.augmented(batch, generator)
        features = self.network.encode(images)
        plain = self._scores(features)
        seen, terms = [plain], {"scribbles": self._taught(plain, labels)}
        # Drawn in any case: a switch changes its own terms, not the random numbers of the others.
        mix = random_mix(images, generator, dynamic=settings.mix == "dynamic")
        if settings.contrast:
            contrast = self._contrast(features[CELLS], plain, labels, generator)
            terms["contrast"] = settings.lambda_ctr * self.progress**0.9 * contrast
        if settings.mix != "off":
            mixed = self._scores(self.network.encode(mix.paste(images, images)))
            seen.append(mixed)
            terms["mixed_scribbles"] = self._taught(mixed, mix.paste(labels, labels))
            terms["pseudo_labels"] = self._taught(mixed, pseudo_labels(plain, mix))
        if settings.het:
            differences = [mean((one.softmax(1) - other.softmax(1)).square()) for one, other in seen]
            rise = risen(self.progress / settings.rise)
            terms["agreement"] = settings.w_het * rise * torch.stack(differences).sum()
        return terms

    def _scores(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Class scores (B, C, H, W) of both decoders in float32."""
        first = self.network.head(self.network.decode(features))
        return first.float(), self.second(features).float()

    def _taught(self, scores: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        first, second = (partial_cross_entropy(each, labels) for each in scores)
        return first + self.settings.lambda_t * second

    def _contrast(
        self, features: Tensor, scores: tuple[Tensor, Tensor], labels: Tensor, generator: Generator
    ) -> Tensor:
        """Contrast of certain cells of features (B, D, h, w) with the memory, which then learns them."""
        with torch.autocast(features.device.type, enabled=False):
            embedded = F.normalize(self.embedding(features.float()), dim=1)  # (B, E, h, w)
        if self.progress < self.settings.contrast_from:
            return 0 * embedded.sum()
        # Every step up to the labels looks at one pixel, so only those at the centers of cells are needed.
        first, second, known = (on_cells(each, embedded.shape[2:]) for each in (*scores, labels))
        probabilities = 0.5 * (first.softmax(1) + second.softmax(1))
        wanted = certain_labels(probabilities, known, entropy_limit(self.progress)).flatten(1)
        predicted = first.argmax(1).flatten(1)
        rows = embedded.flatten(2).mT  # (B, h * w, E)
        chosen = choose_anchors(
            wanted, predicted, self.classes, generator, limits=AnchorLimits(self.settings.fewest_cells)
        )
        loss = memory_contrast(
            rows[chosen], wanted[chosen], self.memory, temperature=self.settings.temperature
        )
        self.memory.push(rows, wanted)
        self.watched = {
            "certain": mean((wanted != IGNORE_LABEL).float()),
            "anchors": total(chosen.sum()).float(),
        }
        return loss


@torch.no_grad()
def pseudo_labels(scores: tuple[Tensor, Tensor], mix: Mix) -> Tensor:
    """What one decoder sees in the rectangles, and the other one around them: (B, H, W); without gradient."""
    first, second = (each.softmax(1) for each in scores)
    inside, outside = (second, first) if mix.swapped else (first, second)
    return mix.paste(inside, outside).argmax(1)


def embedding_head(width: int) -> nn.Sequential:
    """Two convolutions of single pixels to EMBEDDING channels, with a norm between them."""
    return nn.Sequential(
        nn.Conv2d(width, width, 1),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, EMBEDDING, 1),
    )
