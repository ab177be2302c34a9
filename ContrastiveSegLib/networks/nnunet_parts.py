"""What nnU-Net's two networks have in common: capped widths, instance norm, scores at several resolutions.

Source: Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z, and its supplement:
deep supervision at all resolutions but the two lowest.
"""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.blocks.dynunet_block import UnetOutBlock
from torch import Tensor, nn

from ContrastiveSegLib.networks.backbone import Backbone

KERNEL = 3
LEVELS = 4
NORM = ("instance", {"affine": True})
ACTIVATION = ("leakyrelu", {"inplace": True, "negative_slope": 0.01})
WIDEST = {2: 512, 3: 320}


def capped_widths(width: int, levels: int, spatial_dims: int) -> tuple[int, ...]:
    """Channels double from level to level until memory would be spent on little."""
    return tuple(min(width * 2**level, WIDEST[spatial_dims]) for level in range(levels))


class DeepHead(nn.Module):
    """Scores of the finest level, and for training of all coarser levels but the two lowest."""

    def __init__(self, spatial_dims: int, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.final = UnetOutBlock(spatial_dims, widths[0], classes)
        self.deep = nn.ModuleList(UnetOutBlock(spatial_dims, width, classes) for width in widths[1:-2])

    def forward(self, features: Tensor) -> Tensor:
        return self.final(features)

    def all_scores(self, decoded: Sequence[Tensor]) -> list[Tensor]:
        """Features of every decoder block, fine to coarse, to scores at each supervised level."""
        return [head(features) for head, features in zip([self.final, *self.deep], decoded, strict=False)]


def deep_scores(network: Backbone, head: DeepHead, features: Sequence[Tensor]) -> list[Tensor]:
    """`scores_at_every_level` of a network with such a head; the decoder runs once."""
    decoded = [features[-1]]
    for block, skip in zip(network.decoder, features[-2::-1], strict=True):
        decoded.append(block(decoded[-1], skip))
    return head.all_scores(decoded[:0:-1])
