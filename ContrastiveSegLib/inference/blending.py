"""Overlapping blocks blended into one volume, of which finished slices leave while later ones are computed.

What MONAI's sliding window gives, with the same windows, weights and order of sums. MONAI holds all classes
of the whole volume in float32, which is 25 GB for 60 structures in 400 slices of 512 x 512.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from torch import Tensor

Network = Callable[[Tensor], Tensor]

OVERLAP = 0.25  # of a window; more costs time in the square and gained nothing on cardiac MR
BLOCKS_AT_ONCE = 8


def block_by_block(
    network: Network, images: npt.NDArray[Any], patch: Sequence[int], device: torch.device
) -> Iterator[npt.NDArray[np.float16]]:
    """Blended answers, one slice (classes, H, W) after the other.

    Args:
        network: (B, C, *patch) to (B, classes, *patch).
        images: (C, K, H, W).
        patch: (K, H, W) of a block.
    """
    missing = [max(size - there, 0) for size, there in zip(patch, images.shape[1:], strict=True)]
    padded = np.pad(images, [(0, 0), *((n // 2, n - n // 2) for n in missing)]) if any(missing) else images
    first, rows, columns = (slice(n // 2, n // 2 + s) for n, s in zip(missing, images.shape[1:], strict=True))
    for k, found in enumerate(_blended(network, padded, patch, device)):
        if first.start <= k < first.stop:
            yield found[:, rows, columns].to("cpu", torch.float16).numpy()


def _blended(
    network: Network, images: npt.NDArray[Any], patch: Sequence[int], device: torch.device
) -> Iterator[Tensor]:
    """All slices (classes, H, W) float32 of images that are nowhere smaller than a block."""
    size = images.shape[1:]
    steps = [n if n == s else max(1, int(n * (1 - OVERLAP))) for n, s in zip(patch, size, strict=True)]
    windows = dense_patch_slices(size, patch, steps, return_slice=True)
    weight = compute_importance_map(tuple(patch), mode="gaussian", device=device)
    weights = torch.zeros(patch[0], *size[1:], device=device)
    answers: Tensor | None = None  # how many classes there are, the first answer tells
    layers = [[*layer] for _, layer in itertools.groupby(windows, key=lambda window: window[0].start)]
    starts = [layer[0][0].start for layer in layers]
    for layer, start, following in zip(layers, starts, [*starts[1:], size[0]], strict=True):
        for n in range(0, len(layer), BLOCKS_AT_ONCE):
            batch = layer[n : n + BLOCKS_AT_ONCE]
            blocks = np.stack([images[(slice(None), *window)] for window in batch]).astype(np.float32)
            # Not around the yield: the mode would stay on in whoever takes the slices.
            with torch.inference_mode():
                found = network(torch.from_numpy(blocks).to(device)) * weight
            if answers is None:
                answers = torch.zeros(found.shape[1], *weights.shape, device=device)
            for (_, *plane), answer in zip(batch, found, strict=True):
                answers[(slice(None), slice(None), *plane)] += answer
                weights[(slice(None), *plane)] += weight
        assert answers is not None
        for k in range(following - start):
            yield answers[:, k] / weights[k]
        for sums, axis in ((answers, 1), (weights, 0)):
            _forget(sums, axis, following - start)


def _forget(sums: Tensor, axis: int, finished: int) -> None:
    """Move what later blocks reach too to the front, and make room behind it."""
    left = sums.shape[axis] - finished
    sums.narrow(axis, 0, left).copy_(sums.narrow(axis, finished, left).clone())
    sums.narrow(axis, left, finished).zero_()
