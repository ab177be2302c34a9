"""Mix two slices: a rectangle of one on the other, for images, labels and predictions alike.

Source: Yun et al., CutMix, ICCV 2019, arXiv 1905.04899; in the form of
PCLMix, arXiv 2405.06288, docs/strategies/pclmix.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.distributed.gathering import of_all, own, picked

SHARE = 0.2  # of the area of a slice


@dataclass(frozen=True)
class Mix:
    """Which rectangle of which slice lies on which other one.

    Attributes:
        inside: (B,) index, among the slices of all processes, of the one each rectangle is taken from.
        outside: (B,) index of the slice it is laid on.
        rectangles: (B, H, W) boolean, true inside.
        swapped: Whether the two decoders have exchanged their roles in this step.
    """

    inside: Tensor
    outside: Tensor
    rectangles: Tensor
    swapped: bool

    def paste(self, inside: Tensor, outside: Tensor) -> Tensor:
        """Values (B, H, W) or (B, C, H, W): of `inside` within the rectangles, of `outside` around them.

        No gradient reaches them.
        """
        region = self.rectangles if inside.ndim == 3 else self.rectangles[:, None]
        return torch.where(region, picked(inside, self.inside), picked(outside, self.outside))


def random_mix(images: Tensor, generator: Generator, *, dynamic: bool) -> Mix:
    """Two orders of the batch, laid on each other with the rectangles of the slices that lie on top.

    Args:
        images: (B, C, H, W).
        dynamic: A coin decides which order lies on top, and with it whose rectangles and which decoder.
    """
    count, device = of_all(len(images)), images.device
    rectangles = random_rectangles(images, generator)
    first = own(torch.randperm(count, generator=generator, device=device))
    second = own(torch.randperm(count, generator=generator, device=device))
    coin = torch.rand((), generator=generator, device=device)
    swapped = dynamic and bool(coin < 0.5)
    inside, outside = (second, first) if swapped else (first, second)
    return Mix(inside, outside, picked(rectangles, inside), swapped)


def random_rectangles(images: Tensor, generator: Generator, *, share: float = SHARE) -> Tensor:
    """One rectangle of this share of the area per image (B, C, H, W), tall or wide: (B, H, W) boolean."""
    rows, columns = images.shape[-2:]
    draws = own(torch.rand(3, of_all(len(images)), generator=generator, device=images.device).T).T
    # No lower than what the full width can make up for.
    lowest = math.ceil(share * rows)
    height = (torch.exp(draws[0] * math.log(share)) * rows).round().clamp(lowest, rows)
    # From the rounded height, so that rounding twice does not add up.
    width = (share * rows * columns / height).round().clamp(1, columns)
    inside_rows = _interval(draws[1], height, rows)
    inside_columns = _interval(draws[2], width, columns)
    return inside_rows[:, :, None] & inside_columns[:, None, :]


def random_boxes(
    images: Tensor,
    generator: Generator,
    *,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 3.3),
    sides: float | None = None,
) -> Tensor:
    """One box per image (B, C, *S), in plane: (B, H, W) boolean.

    Args:
        area: Lowest and highest share of the plane; drawn evenly.
        aspect: Lowest and highest height by width; drawn evenly in its logarithm.
        sides: Share of each side instead, the same for all; only the place is drawn then.

    Source: Yang et al., CVPR 2023, arXiv 2208.09910.
    """
    rows, columns = images.shape[-2:]
    draws = own(torch.rand(4, of_all(len(images)), generator=generator, device=images.device).T).T
    if sides is None:
        pixels = (area[0] + draws[0] * (area[1] - area[0])) * rows * columns
        ratio = torch.exp(math.log(aspect[0]) + draws[1] * math.log(aspect[1] / aspect[0]))
        height, width = (pixels * ratio).sqrt(), (pixels / ratio).sqrt()
    else:
        height, width = (torch.full_like(draws[0], sides * n) for n in (rows, columns))
    inside_rows = _interval(draws[2], height.round().clamp(1, rows), rows)
    inside_columns = _interval(draws[3], width.round().clamp(1, columns), columns)
    return inside_rows[:, :, None] & inside_columns[:, None, :]


def laid_on(boxes: Tensor, top: Tensor, below: Tensor, *, swapped: bool = False) -> Tensor:
    """Values (B, C, *S) or (B, *S): of `top` within the boxes (B, H, W), of `below` around them.

    Args:
        swapped: The other way round.
    """
    region = boxes.view(len(boxes), *(1,) * (top.ndim - 3), *boxes.shape[1:])
    return torch.where(region != swapped, top, below)


def _interval(draw: Tensor, length: Tensor, size: int) -> Tensor:
    """Where an interval of that length lies, anywhere within `size`: (B,) to (B, size) boolean."""
    start = (draw * (size - length + 1)).floor().clamp(max=size - length)[:, None]
    places = torch.arange(size, device=draw.device)
    return (places >= start) & (places < start + length[:, None])
