"""Swin UNETR version 2: a residual convolution in front of each stage of window attention.

Source: He et al., SwinUNETR-V2, MICCAI 2023, cut from MONAI's SwinUNETR with `use_v2`. VoCo (Wu et al., CVPR
2024, arXiv 2402.17300) pre-trains it.
"""

from __future__ import annotations

from ContrastiveSegLib.networks import swin_unetr


class Network(swin_unetr.Network):
    """Swin UNETR with convolutions; everything else as in the first version."""

    has_convolutions = True
