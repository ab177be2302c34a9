"""MONAI's BasicUNet behind the promise: a lean U-Net that enlarges by transposed convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.networks.backbone import Backbone

LEVELS = 4


class Network(Backbone):
    """BasicUNet with batch norm, which halves every axis at every level.

    Raises:
        BadSetting: `pools` ask for fewer halvings because the patches have few slices.

    Source: Falk et al., U-Net: deep learning for cell counting, Nature Methods 2019, as built by MONAI.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        classes: int = 2,
        width: int = 32,
        spatial_dims: int = 2,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        if any(math.prod(axis) < 4 for axis in zip(*(pools or ()), strict=True)):
            raise BadSetting(
                "The network monai_basic_unet halves every axis four times, but the patches have fewer than "
                "16 slices.",
                "Choose the network unet, or patches of 16 or more slices.",
            )
        self.widths = tuple(width * 2**level for level in range(LEVELS + 1))
        self.stride = (2**LEVELS,) * spatial_dims
        net = BasicUNet(
            spatial_dims, in_channels, classes, (*self.widths, width), norm=("batch", {"affine": True})
        )
        self.encoder = nn.ModuleList([net.conv_0, net.down_1, net.down_2, net.down_3, net.down_4])
        self.decoder = nn.ModuleList([net.upcat_4, net.upcat_3, net.upcat_2, net.upcat_1])
        self.head = net.final_conv

    def encode(self, images: Tensor) -> list[Tensor]:
        features: list[Tensor] = []
        for block in self.encoder.children():
            features.append(block(features[-1] if features else images))
        return features

    def decode(self, features: Sequence[Tensor], depth: int | None = None) -> Tensor:
        deep = features[-1]
        for block, skip in zip(self.decoder[:depth], features[-2::-1], strict=False):
            deep = block(deep, skip)
        return deep
