"""Views through a random convolution: other textures and gray values, the same shapes.

Source: Xu et al., Robust and generalizable visual representation learning via random convolutions, ICLR 2021,
arXiv 2007.13003; docs/strategies/dual_ssl.md.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import of_all, own

KERNELS = (3, 5, 7)
CONVOLVE: dict[int, Any] = {4: F.conv2d, 5: F.conv3d}


@torch.no_grad()
def randomly_convolved(images: Tensor, generator: Generator) -> Tensor:
    """Each image (B, C, *S) mixed with its own random convolution, clamped and stretched to 0...1."""
    batch, channels, *size = images.shape
    device = images.device
    kernel = KERNELS[int(torch.randint(len(KERNELS), (), generator=generator, device=device))]
    shape = (channels, channels, *(min(kernel, n // 2 * 2 - 1) for n in size))
    weights = own(torch.randn(of_all(batch), *shape, generator=generator, device=device)).flatten(0, 1)
    weights = weights * math.sqrt(2 / math.prod(shape[1:]))
    with torch.autocast(device.type, enabled=False):
        # One group per image: each has a convolution of its own.
        seen = CONVOLVE[images.ndim](images.reshape(1, -1, *size), weights, padding="same", groups=batch)
    ones = (1,) * (images.ndim - 1)
    share = own(torch.rand(of_all(batch), *ones, generator=generator, device=device))
    mixed = torch.lerp(images, seen.view(images.shape), share).clamp(0, 1)
    axes = tuple(range(1, images.ndim))
    low, high = mixed.amin(axes, keepdim=True), mixed.amax(axes, keepdim=True)
    return (mixed - low) / (high - low).clamp(min=1e-6)
