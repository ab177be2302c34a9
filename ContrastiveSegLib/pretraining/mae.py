"""MAE: most of a slice is hidden, and the network restores it from the rest.

Source: He et al., Masked autoencoders are scalable vision learners, CVPR 2022, arXiv 2111.06377. With a
convolutional network, as Wald et al., Revisiting MAE pre-training for 3D medical image segmentation,
CVPR 2025, arXiv 2410.23132 (docs/methods/mae.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.contrast.augmentation import spatial_augmentation
from ContrastiveSegLib.distributed.gathering import of_all, own, total
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import CONV
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Formerly, Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of MAE."""

    mask_ratio: Annotated[
        float, Range(0.1, 0.95), Formerly("hidden"), Label("hidden part of the image", "share")
    ] = 0.75
    """Share of the blocks of each image that is hidden."""

    blocks: Annotated[int, Range(2, 64), Label("blocks per side")] = 8
    """Each side of a patch is divided into so many blocks; short sides into fewer, of two pixels at least."""


class Method(PretrainingMethod):
    """MAE on the encoder and the decoder."""

    trains = ("encoder", "decoder")
    smallest_batch = 1

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.restore = CONV[len(network.stride)](network.widths[0], network.in_channels, 1)
        self.token = nn.Parameter(torch.zeros(network.in_channels))  # gray value of what is hidden

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        images = spatial_augmentation(batch.images, generator)
        hidden = hidden_blocks(images, self.settings.mask_ratio, self.settings.blocks, generator)
        token = self.token.to(images.dtype).view(1, -1, *(1,) * (images.ndim - 2))
        features = self.network.encode(torch.where(hidden, token, images))
        self.watch(features[-1].flatten(2).mean(2))
        restored = self.restore(self.network.decode(features)).float()
        errors = F.mse_loss(restored, images.float(), reduction="none").mean(1, keepdim=True)
        return {"restoration": total((errors * hidden).sum()) / total(hidden.sum())}


@torch.no_grad()
def hidden_blocks(images: Tensor, share: float, blocks: int, generator: Generator) -> Tensor:
    """Which pixels of images (B, C, *S) are hidden: (B, 1, *S), the same number of blocks in each image.

    Args:
        share: Of the blocks; at least one is hidden, and at least one is not.
        blocks: Along each side, or one for every two pixels where a side has fewer.
    """
    size = images.shape[2:]
    grid = [max(1, min(blocks, side // 2)) for side in size]
    count = math.prod(grid)
    lots = own(torch.rand(of_all(len(images)), count, generator=generator, device=images.device))
    order = lots.argsort(1).argsort(1)
    chosen = order < min(max(1, round(share * count)), count - 1)
    return F.interpolate(chosen.view(-1, 1, *grid).float(), size=size, mode="nearest") > 0
