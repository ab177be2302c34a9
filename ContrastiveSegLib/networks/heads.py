"""Small projectors that exist only during pre-training."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImageProjector(nn.Module):
    """Average the deepest features over space, then two linear layers with a ReLU between them.

    Source: specification of SuperCL and MACL, sections 1.5 and 2.1 (512-512-512).
    """

    def __init__(self, inside: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inside, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, outside),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D, *S) to (B, outside), in float32 whatever surrounds it.

        Averages over space hardly differ between images at first; bfloat16 would round the difference away,
        and contrastive learning would start, and stay, collapsed.
        """
        with torch.autocast(features.device.type, enabled=False):
            return self.layers(features.float().flatten(2).mean(-1))
