"""Small projectors that exist only during pre-training."""

from __future__ import annotations

from torch import Tensor, nn


class ImageProjector(nn.Module):
    """Average the deepest features over space, then two linear layers with a ReLU between them.

    Source: specification of SuperCL and MACL, sections 1.5 and 2.1 (512-512-512).
    """

    def __init__(self, inside: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inside, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outside))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D, *S) to (B, outside)."""
        return self.layers(features.flatten(2).mean(-1))
