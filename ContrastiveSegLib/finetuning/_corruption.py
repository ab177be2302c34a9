"""Corrupt small blocks of an image where a segmentation is uncertain: what restoration learns to mend.

Source: docs/strategies/dual_ssl.md. All blocks of a batch at once; where
two overlap, the later one lies over the earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.distributed.gathering import of_all, own
from ContrastiveSegLib.finetuning._structure import dilated, largest_around

OUTSIDE, INSIDE = 3, 2  # voxels of the band along the border of a structure
NEARBY = 10  # voxels from a structure, within which an undecided network counts
UNDECIDED = 0.5 * math.log(2)  # entropy of 0.89 against 0.11
SMALLEST, LARGEST = (16, 3), (6, 16)  # sides: a 16th and at least 3 voxels, to a 6th and at most 16
SHUFFLE, CURVE, NOISE, MEAN = range(4)
SHARES = (0.3, 0.3, 0.3, 0.1)  # of the corruptions above
KNOTS = 64  # of a curve of gray values


@torch.no_grad()
def uncertain_region(labels: Tensor, scores: Tensor, *, entropy: bool, reach: float = 1.0) -> Tensor:
    """The band along the borders of structures, and where the network near them is undecided: (B, *S).

    Args:
        labels: (B, *S) class indices, negative where nothing is annotated.
        scores: (B, classes, *S) of the network.
        entropy: Whether to believe the network already.
        reach: As in `structure_cells`.
    """
    shown = labels.clamp(min=0)[:, None].float()  # (B, 1, *S)
    region = _border(shown, _box(INSIDE, shown, reach), _box(OUTSIDE, shown, reach))[:, 0]
    if entropy:
        logs = scores.float().log_softmax(1)
        undecided = -(logs.exp() * logs).sum(1) > UNDECIDED
        near = dilated(shown > 0, _box(NEARBY, shown, reach))[:, 0]
        region = region | (undecided & near)
    return region


@torch.no_grad()
def corrupted(
    images: Tensor, where: Tensor, generator: Generator, *, blocks: int = 8
) -> tuple[Tensor, Tensor]:
    """Corrupt blocks whose centers lie in a region; an image without such a region stays as it is.

    Args:
        images: (B, C, *S), gray values about 0...1.
        where: (B, *S) where centers may lie.

    Returns:
        The images, and the mask (B, *S) of what was corrupted.
    """
    owner = _random_blocks(where, blocks, generator)
    shares = torch.tensor(SHARES, device=images.device).expand(of_all(len(images)), -1)
    kinds = own(torch.multinomial(shares, blocks, replacement=True, generator=generator))  # (B, N)
    kind = _per_voxel(kinds, owner, outside=-1)
    noise = _drawn(images.shape, generator).to(images.dtype)
    changed = torch.where((kind == NOISE)[:, None], noise, images)
    changed = torch.where((kind == MEAN)[:, None], _means(images, owner, blocks), changed)
    changed = torch.where((kind == CURVE)[:, None], _curved(images, owner, blocks, generator), changed)
    return _shuffled(changed, owner, kind == SHUFFLE, generator), owner > 0


def _border(shown: Tensor, inside: Sequence[int], outside: Sequence[int]) -> Tensor:
    """The band along the border of every structure (B, 1, *S), for all structures at once.

    In it lies a voxel of a structure with anything else in the box `inside`, and a voxel with another
    structure than its own in the box `outside`: one that is the largest or the smallest number there.
    """
    within = (largest_around(shown, inside) != shown) | (-largest_around(-shown, inside) != shown)
    none = shown.max() + 1
    high = largest_around(shown, outside)
    low = -largest_around(-torch.where(shown > 0, shown, none), outside)
    another = ((high > 0) & (high != shown)) | ((low < none) & (low != shown))
    return (within & (shown > 0)) | another


def _box(voxels: int, masks: Tensor, reach: float) -> list[int]:
    """The box that reaches so many voxels in plane: an odd side along each axis."""
    return [2 * round(voxels * reach) + 1, *[2 * voxels + 1] * 2][-(masks.ndim - 2) :]


def _random_blocks(where: Tensor, blocks: int, generator: Generator) -> Tensor:
    """Which block each voxel belongs to, from 1 on, 0 for none: (B, *S)."""
    size, device = where.shape[1:], where.device
    weights = where.flatten(1).float()
    empty = weights.amax(1, keepdim=True) == 0
    # Not multinomial(): how many numbers that draws depends on what it draws from.
    ranks = (weights + empty).cumsum(1)
    drawn = torch.minimum(_drawn((len(where), blocks), generator) * ranks[:, -1:], ranks[:, -1:] - 0.5)
    centers = torch.searchsorted(ranks, drawn, right=True)  # (B, N)
    covers = ~empty.view(-1, 1, *(1,) * len(size))
    for axis, n in enumerate(size):
        at = centers // math.prod(size[axis + 1 :]) % n
        low, high = _sides(n)
        side = own(
            torch.randint(low, high + 1, (of_all(len(at)), blocks), generator=generator, device=device)
        )
        begin = (at - side // 2)[:, :, None]
        line = torch.arange(n, device=device)
        inside = (line >= begin) & (line < begin + side[:, :, None])  # (B, N, n)
        covers = covers & inside.view(*at.shape, *(n if a == axis else 1 for a in range(len(size))))
    # One byte each: there are as many numbers as voxels in all images, times the blocks.
    numbers = torch.arange(1, blocks + 1, device=device, dtype=torch.uint8)
    return (covers * numbers.view(1, -1, *(1,) * len(size))).amax(1).long()


def _sides(n: int) -> tuple[int, int]:
    """Smallest and largest side of a block along an axis of n voxels."""
    low = min(max(n // SMALLEST[0], SMALLEST[1]), n)
    return low, max(min(n // LARGEST[0], LARGEST[1]), low)


def _per_voxel(values: Tensor, owner: Tensor, *, outside: int) -> Tensor:
    """A value of each block (B, N) at its voxels: (B, *S)."""
    table = torch.cat([torch.full_like(values[:, :1], outside), values], 1)
    return table.gather(1, owner.flatten(1)).view(owner.shape)


def _means(images: Tensor, owner: Tensor, blocks: int) -> Tensor:
    """The mean of its block at every voxel, for each channel: (B, C, *S)."""
    flat = images.flatten(2)
    index = owner.flatten(1)[:, None].expand_as(flat)
    sums = flat.new_zeros(*flat.shape[:2], blocks + 1).scatter_add_(2, index, flat)
    counts = torch.zeros_like(sums).scatter_add_(2, index, torch.ones_like(flat))
    return (sums / counts.clamp(min=1)).gather(2, index).view(images.shape)


def _curved(images: Tensor, owner: Tensor, blocks: int, generator: Generator) -> Tensor:
    """Gray values sent through the curve of their block: (B, C, *S)."""
    tables = random_curves(of_all(len(images)) * (blocks + 1), generator, images.device)
    tables = own(tables.view(of_all(len(images)), -1))
    position = images.flatten(2).clamp(0, 1) * (KNOTS - 1)
    below = position.long().clamp(max=KNOTS - 2)
    index = (owner.flatten(1)[:, None] * KNOTS + below).flatten(1)  # (B, C * V)
    low, high = (tables.gather(1, index + n).view(position.shape) for n in (0, 1))
    return torch.lerp(low, high, position - below).view(images.shape).to(images.dtype)


def random_curves(count: int, generator: Generator, device: torch.device) -> Tensor:
    """Monotone cubic Bezier curves from 0...1 to 0...1, half of them falling, at even knots: (count, KNOTS).

    Source: the intensity maps of Zhou et al., Models Genesis, Medical Image Analysis 2021, arXiv 2004.07882.
    """
    t = torch.linspace(0, 1, 2 * KNOTS, device=device)
    basis = torch.stack([3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2])
    # Control points within the unit square make both coordinates grow with t.
    across, up = (torch.rand(2, count, 2, generator=generator, device=device) @ basis + t**3).unbind()
    even = torch.linspace(0, 1, KNOTS, device=device).expand(count, -1).contiguous()
    right = torch.searchsorted(across.contiguous(), even).clamp(1, 2 * KNOTS - 1)
    x0, x1, y0, y1 = (c.gather(1, right - n) for c in (across, up) for n in (1, 0))
    rising = y0 + (y1 - y0) * ((even - x0) / (x1 - x0).clamp(min=1e-6)).clamp(0, 1)
    falls = torch.rand(count, 1, generator=generator, device=device) < 0.5
    return torch.where(falls, 1 - rising, rising)


def _drawn(shape: Sequence[int], generator: Generator) -> Tensor:
    """Numbers from 0 to 1, those of an image whichever process has it: (B, ...)."""
    return own(torch.rand(of_all(shape[0]), *shape[1:], generator=generator, device=generator.device))


def _shuffled(images: Tensor, owner: Tensor, where: Tensor, generator: Generator) -> Tensor:
    """Voxels of `where` (B, *S) in random order within their block, all channels alike."""
    index = where.flatten().nonzero()[:, 0]
    voxels = owner[0].numel()
    block = index // voxels * (int(owner.max()) + 1) + owner.flatten()[index]
    lots = _drawn(owner.shape, generator).flatten()[index].double()
    target, source = index[block.argsort(stable=True)], index[(block + lots).argsort()]
    rows = images.transpose(0, 1).flatten(1)  # (C, B * V)
    rows = rows.index_copy(1, target, rows[:, source])
    return rows.view(images.shape[1], *owner.shape).transpose(0, 1)
