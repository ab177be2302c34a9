"""How a slice is laid into the square that a model sees, and how its answer gets back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ContrastiveSegLib.sam._model import Answer, Mask, Slice

# How sure an outline is that a model is shown, in logits. Of 4, 8, 16 and 30 the first two were alike and the
# best, on six cardiac patients with MobileSAM (Testing/Benchmarks/RESULTS.md).
SHOWN = 4.0


@dataclass(frozen=True)
class Frame:
    """A slice (H, W) inside a model's square.

    Args:
        keeps_shape: The longer side fills the square and the rest stays empty; otherwise both sides fill it.
    """

    shape: tuple[int, int]
    side: int
    keeps_shape: bool

    @property
    def inside(self) -> tuple[int, int]:
        """Height and width of the slice inside the square."""
        if not self.keeps_shape:
            return self.side, self.side
        scale = self.side / max(self.shape)
        height, width = (max(1, min(self.side, int(n * scale + 0.5))) for n in self.shape)
        return height, width

    def gray(self, image: Slice, device: torch.device) -> torch.Tensor:
        """The slice at the model's resolution: (1, 1, h, w) float32, 0...255, without the empty rest."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(device, torch.float32)[None, None]
        return F.interpolate(pixels, self.inside, mode="bilinear", align_corners=False, antialias=True)

    def padded(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (1, C, h, w) with the empty rest of the square as zeros: (1, C, side, side)."""
        height, width = pixels.shape[-2:]
        return F.pad(pixels, (0, self.side - width, 0, self.side - height))

    def points(self, columns_and_rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Positions (..., 2) in pixels of the slice to those in the square."""
        scale = np.array(self.inside[::-1]) / self.shape[::-1]
        return (np.asarray(columns_and_rows, float) * scale).astype(np.float32)

    def logits(self, outline: Mask, features: torch.Tensor) -> torch.Tensor:
        """An outline (H, W) as the model's own answer would be, on a grid four times as fine as its features.

        Args:
            features: (1, D, h, h) of the image encoder.

        Returns:
            (1, 1, 4 h, 4 h), positive inside.
        """
        small = replace(self, side=4 * features.shape[-1])
        inside = small.padded(small.gray(outline.astype(np.uint8), features.device))
        return SHOWN * (2 * inside - 1)

    def answers(self, low: torch.Tensor, scores: Sequence[float]) -> list[Answer]:
        """Small logits (N, h, w) of the square as answers on the slice."""
        return [
            Answer(self._restored(logits), float(score), logits.cpu().numpy())
            for logits, score in zip(low.float(), scores, strict=True)
        ]

    def _restored(self, low: torch.Tensor) -> npt.NDArray[np.float32]:
        whole = F.interpolate(low[None, None], (self.side, self.side), mode="bilinear", align_corners=False)
        height, width = self.inside
        back = F.interpolate(whole[..., :height, :width], self.shape, mode="bilinear", align_corners=False)
        return back[0, 0].cpu().numpy()
