"""Whole volumes through a network: slice by slice, or window by window."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from ContrastiveSegLib.inference.blending import OVERLAP, Network, block_by_block

PIXELS_AT_ONCE = 2**20  # slices are grouped so that memory stays small on any machine
SIDE_MULTIPLE = 32  # every network here can halve that


def predict_probabilities(
    network: Network, images: npt.NDArray[Any], patch: Sequence[int], device: torch.device
) -> npt.NDArray[np.float16]:
    """Class probabilities (classes, K, H, W) of one prepared case; see `predict_slices`."""
    return np.stack([*predict_slices(network, images, patch, device)], axis=1)


def predict_slices(
    network: Network,
    images: npt.NDArray[Any],
    patch: Sequence[int],
    device: torch.device,
    *,
    mirror: bool = False,
) -> Iterator[npt.NDArray[np.float16]]:
    """Class probabilities of one prepared case, one slice (classes, H, W) after the other.

    With many classes a whole volume of them is larger than the memory, so none is ever held here.

    Args:
        network: (B, C, *patch) to scores (B, classes, *patch). It goes into evaluation mode, and stays there:
            in training mode its batch norm would take over the statistics of this case.
        images: (C, K, H, W).
        patch: (H, W) to go slice by slice, (K, H, W) to go block by block. Slices go in one piece while they
            fit: windows that show half an organ are where networks err.
        mirror: Average over all mirrored copies in plane: four times slower.
    """
    if isinstance(network, nn.Module):
        network.eval()
    flips = list(itertools.product((False, True), repeat=2)) if mirror else [(False, False)]

    def probabilities(images: Tensor) -> Tensor:
        return torch.stack([_mirrored(network, flip, images).float().softmax(1) for flip in flips]).mean(0)

    if len(patch) == 3:
        return block_by_block(probabilities, images, patch, device)
    return _slice_by_slice(probabilities, images, patch, device)


def _slice_by_slice(
    probabilities: Network, images: npt.NDArray[Any], patch: Sequence[int], device: torch.device
) -> Iterator[npt.NDArray[np.float16]]:
    window = _window(patch, images.shape[-2:])
    at_once = max(1, 8 * int(np.prod(patch)) // int(np.prod(window)))
    inferer = SlidingWindowInferer(window, sw_batch_size=at_once, overlap=OVERLAP, mode="gaussian")
    stack = np.moveaxis(images, 1, 0)  # (K, C, H, W)
    group = max(1, PIXELS_AT_ONCE // int(np.prod(images.shape[-2:])))
    for start in range(0, len(stack), group):
        # Not around the yield: the mode would stay on in whoever takes the slices.
        with torch.inference_mode():
            part = torch.from_numpy(np.array(stack[start : start + group], np.float32)).to(device)
            found = cast("Tensor", inferer(part, probabilities)).to("cpu", torch.float16).numpy()
        yield from found


def _window(patch: Sequence[int], size: Sequence[int]) -> tuple[int, ...]:
    """The whole slice if it is not too large, and never less than what the network has learned from."""
    whole = [math.ceil(n / SIDE_MULTIPLE) * SIDE_MULTIPLE for n in size]
    if math.prod(whole) > PIXELS_AT_ONCE:
        return tuple(patch)
    return tuple(max(pair) for pair in zip(patch, whole, strict=True))


def _mirrored(network: Network, flip: Sequence[bool], images: Tensor) -> Tensor:
    axes = [axis for axis, flipped in zip((-2, -1), flip, strict=True) if flipped]
    return network(images.flip(axes)).flip(axes) if axes else network(images)
