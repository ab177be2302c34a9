"""Random views of a batch, drawn on the device: intensity augmentation, or spatial augmentation.

Source: docs/methods/index.md (jitter and blur; mirror, elastic, rotation, scale).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import of_all, own


@dataclass(frozen=True)
class IntensityAugmentation:
    """How strongly gray values change. Each is drawn per image; gray values are about 0...1.

    Args:
        probability: Of each change, independently.
    """

    brightness: float = 0.3  # multiplied by 1 - ... 1 + this
    contrast: float = 0.3
    gamma: float = 0.4  # exponent between exp(-this) and exp(this)
    noise: float = 0.05  # largest standard deviation
    blur: float = 1.0  # largest sigma in pixels, in plane
    probability: float = 1.0


@dataclass(frozen=True)
class SpatialAugmentation:
    """How far pixels move, in plane. Each is drawn per image."""

    rotation: float = math.pi  # radians, to both sides
    scale: float = 0.3  # 1 - ... 1 + this
    shift: float = 0.1  # of the patch, to both sides
    flip: bool = True
    elastic: float = 0.03  # standard deviation of the displacement at its knots, as a part of the patch
    probability: float = 1.0  # of anything but the flip


# What contrastive pre-training sees: two of three images slightly turned, scaled, shifted and bent, about as
# gently as the papers turn BraTS. Their CT recipe turns by any angle and mirrors (docs/decisions).
PRETRAINING_TRANSFORM = SpatialAugmentation(
    rotation=math.radians(20), scale=0.2, shift=0.1, flip=False, elastic=0.01, probability=0.67
)
PRETRAINING_APPEARANCE = IntensityAugmentation()


def _in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Keep mixed precision out: 8 bits are too few for a position in a patch of 256 pixels."""

    @functools.wraps(function)
    def exact(images: Tensor, *arguments: Any, **named: Any) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return function(images, *arguments, **named)

    return exact


def two_random_views(images: Tensor, generator: Generator) -> Tensor:
    """Two views of each image, drawn independently: (B, C, *S) to (2B, C, *S), first views first."""
    return random_view(images.repeat(2, *(1,) * (images.ndim - 1)), generator)


def random_view(images: Tensor, generator: Generator) -> Tensor:
    """Move the pixels, then change the gray values: (B, C, *S) to the same shape."""
    return intensity_augmentation(spatial_augmentation(images, generator), generator)


@torch.no_grad()
def spatial_augmentation(images: Tensor, generator: Generator) -> Tensor:
    """Move the pixels as pre-training does: a view of the spatial variance group."""
    return warp(images, random_grid(images, PRETRAINING_TRANSFORM, generator))


@torch.no_grad()
def intensity_augmentation(images: Tensor, generator: Generator) -> Tensor:
    """Change the gray values as pre-training does: a view of the spatial invariance group."""
    return augment_intensities(images, PRETRAINING_APPEARANCE, generator)


@_in_float32
def augment_intensities(images: Tensor, how: IntensityAugmentation, generator: Generator) -> Tensor:
    """Change gray values, leave every pixel where it is: (B, C, *S) to the same shape."""
    draw = _Draw(images, generator, how.probability)
    mean = images.mean(dim=tuple(range(2, images.ndim)), keepdim=True)
    contrast, brightness = draw.around_one(how.contrast), draw.around_one(how.brightness)
    images = images * contrast + mean * (brightness - contrast)
    images = images.clamp(min=0) ** torch.exp(draw.now_and_then(how.gamma))
    if how.blur:
        images = _blur(images, draw.up_to(how.blur))
    if how.noise:
        images = images + draw.noise(images) * draw.up_to(how.noise)
    return images


@_in_float32
def random_grid(
    images: Tensor, how: SpatialAugmentation, generator: Generator, *, size: Sequence[int] | None = None
) -> Tensor:
    """Where each output pixel comes from, for `warp`: (B, *size, 2 or 3), in units of `grid_sample`.

    Args:
        images: (B, C, *S), the source; it may be larger than the output so that rotation finds pixels.
        size: Spatial size of the output, `images`'s own by default. Slices (K) stay where they are.
    """
    source, size = images.shape[2:], tuple(size or images.shape[2:])
    draw = _Draw(images, generator)
    chosen = (draw.vector(1.0).abs() < how.probability).float()
    angle, scale = draw.vector(how.rotation) * chosen, 1 + draw.vector(how.scale) * chosen
    mirror = 1 - 2 * (draw.vector(1.0, 2) > 0).float() if how.flip else torch.ones(len(images), 2)
    mirror = mirror.to(images.device)
    rotate = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    pixels = torch.tensor([size[-1], size[-2]], device=images.device, dtype=torch.float32)
    lengths = torch.tensor([source[-1], source[-2]], device=images.device, dtype=torch.float32)
    # Rotation is rigid in pixels, so the unit square of grid_sample is stretched to pixels and back.
    matrix = rotate * (scale[:, None] * mirror)[:, None, :] * pixels / lengths[:, None]
    shift = draw.vector(how.shift, 2) * chosen[:, None] * 2 * pixels / lengths
    across = _centers(size[-1], images.device)[:, None] * matrix[:, None, :, 0] + shift[:, None]  # (B, W, 2)
    down = _centers(size[-2], images.device)[:, None] * matrix[:, None, :, 1]  # (B, H, 2)
    grid = down[:, :, None] + across[:, None]
    if how.elastic:
        strength = 2 * how.elastic * chosen[:, None] * pixels / lengths  # (B, 2); the unit square is 2 wide
        grid += _smooth_displacement(draw, strength, size[-2:])
    return grid if images.ndim == 4 else _every_slice(grid, size[0])


def warp(images: Tensor, grid: Tensor, *, mode: str = "bilinear") -> Tensor:
    """Fetch pixels from where `grid` says, zero beyond the border: (B, C, *S) to (B, C, *size)."""
    return F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _every_slice(grid: Tensor, slices: int) -> Tensor:
    """The same in-plane transform for all slices: (B, H, W, 2) to (B, K, H, W, 3)."""
    depths = _centers(slices, grid.device)
    grid = grid[:, None].expand(-1, slices, -1, -1, -1)
    return torch.cat([grid, depths[None, :, None, None, None].expand(*grid.shape[:-1], 1)], -1)


def _centers(count: int, device: torch.device) -> Tensor:
    """Where the centers of `count` pixels lie between -1 and 1: (count,)."""
    return (torch.arange(count, device=device) * 2 + 1) / count - 1


def _smooth_displacement(draw: _Draw, strength: Tensor, size: Sequence[int], knots: int = 6) -> Tensor:
    """A displacement that varies over about a sixth of the patch, with strength (B, 2): (B, H, W, 2)."""
    coarse = draw.normal(knots, knots, 2) * strength[:, None, None]
    # Bicubic interpolation as two small matrix products is many times faster than resizing an image.
    rows, columns = (_bicubic(knots, n, coarse.device) for n in size)
    return torch.einsum("hk,bklx,wl->bhwx", rows, coarse, columns)


def _bicubic(knots: int, size: int, device: torch.device) -> Tensor:
    """The weight of each knot at each pixel: (size, knots)."""
    one_each = torch.eye(knots, device=device)[None, None]
    return F.interpolate(one_each, size=(size, knots), mode="bicubic", align_corners=False)[0, 0]


def _blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur in plane with one sigma (B, 1, ...) per image, of five by five taps."""
    taps = torch.arange(-2, 3, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma.view(-1, 1).clamp(min=0.2)) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)  # (B, 5)
    planes = images.flatten(1, -3)  # (B, C, H, W) or (B, C * K, H, W)
    kernels = (kernel[:, :, None] * kernel[:, None]).repeat_interleave(planes.shape[1], 0)  # one per plane
    padded = F.pad(planes.flatten(0, 1)[None], [2] * 4, mode="replicate")
    return F.conv2d(padded, kernels[:, None], groups=len(kernels)).view(images.shape)


class _Draw:
    """Random numbers for one batch, on its device, one set per image.

    They are drawn for the images of all processes, so that each image gets the same wherever it is computed.
    """

    def __init__(self, images: Tensor, generator: Generator, probability: float = 1.0) -> None:
        self.batch, self.ndim, self.device = len(images), images.ndim, images.device
        self.generator, self.probability = generator, probability

    def _uniform(self, *shape: int) -> Tensor:
        return own(torch.rand(of_all(self.batch), *shape, generator=self.generator, device=self.device))

    def normal(self, *shape: int) -> Tensor:
        return own(torch.randn(of_all(self.batch), *shape, generator=self.generator, device=self.device))

    def noise(self, images: Tensor) -> Tensor:
        """A number for each voxel, in the shape of the images."""
        shape = of_all(self.batch), *images.shape[1:]
        return own(torch.randn(shape, generator=self.generator, device=self.device, dtype=images.dtype))

    def vector(self, limit: float, *shape: int) -> Tensor:
        """-limit ... limit: (B, *shape)."""
        return (2 * self._uniform(*shape) - 1) * limit

    def now_and_then(self, limit: float) -> Tensor:
        """With the probability -limit ... limit, otherwise 0, shaped to multiply images: (B, 1, ...)."""
        drawn = self.vector(limit) * (self._uniform() < self.probability)
        return drawn.view(-1, *(1,) * (self.ndim - 1))

    def around_one(self, limit: float) -> Tensor:
        return 1 + self.now_and_then(limit)

    def up_to(self, limit: float) -> Tensor:
        return self.now_and_then(limit).abs()
