"""nnU-Net's plain network: strided convolutions, instance norm, leaky ReLU, deep supervision.

Source: Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z, built of the blocks of
MONAI's DynUNet. nnU-Net plans the number of levels and flat kernels from patch and spacing; here there are
five levels, `pools` decide how each axis shrinks, and every kernel is 3 wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetUpBlock
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from ContrastiveSegLib.networks.backbone import Backbone, Stages
from ContrastiveSegLib.networks.nnunet_parts import KERNEL, LEVELS, NORM, DeepHead, capped_widths, deep_scores


class Network(Backbone):
    """Two convolutions at each level, down and up; channels double up to 512 in 2D and 320 in 3D."""

    smallest_deepest = 2
    head: DeepHead

    def __init__(
        self,
        *,
        in_channels: int = 1,
        classes: int = 2,
        base_channels: int = 32,
        spatial_dims: int = 2,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        pools = tuple(tuple(p) for p in pools) if pools else ((2,) * spatial_dims,) * LEVELS
        self.widths = capped_widths(base_channels, LEVELS + 1, spatial_dims)
        self.stride = tuple(math.prod(axis) for axis in zip(*pools, strict=True))
        channels, steps = (in_channels, *self.widths), ((1,) * spatial_dims, *pools)
        self.encoder = Stages(
            UnetBasicBlock(spatial_dims, inside, outside, KERNEL, step, NORM)
            for inside, outside, step in zip(channels[:-1], channels[1:], steps, strict=True)
        )
        self.decoder = nn.ModuleList(
            UnetUpBlock(spatial_dims, deep, shallow, KERNEL, 1, pool, NORM)
            for deep, shallow, pool in zip(self.widths[:0:-1], self.widths[-2::-1], pools[::-1], strict=True)
        )
        self.head = DeepHead(spatial_dims, self.widths, classes)
        self.apply(DynUNet.initialize_weights)

    def scores_at_every_level(self, features: Sequence[Tensor]) -> list[Tensor]:
        return deep_scores(self, self.head, features)
