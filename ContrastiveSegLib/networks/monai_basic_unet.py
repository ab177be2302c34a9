"""MONAI BasicUNet: a lean U-Net that enlarges by transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import BasicUNet
from torch import nn

from ContrastiveSegLib.networks.backbone import Backbone, Stages, check_fit

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
        base_channels: int = 32,
        spatial_dims: int = 2,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.widths = tuple(base_channels * 2**level for level in range(LEVELS + 1))
        self.stride = (2**LEVELS,) * spatial_dims
        check_fit(self, spatial_dims, pools)
        net = BasicUNet(
            spatial_dims,
            in_channels,
            classes,
            (*self.widths, base_channels),
            norm=("batch", {"affine": True}),
        )
        self.encoder = Stages([net.conv_0, net.down_1, net.down_2, net.down_3, net.down_4])
        self.decoder = nn.ModuleList([net.upcat_4, net.upcat_3, net.upcat_2, net.upcat_1])
        self.head = net.final_conv
