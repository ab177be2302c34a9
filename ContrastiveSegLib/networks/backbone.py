"""The promise every network keeps: encode(), decode(depth), head; parts loadable by name."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ContrastiveSegLib.errors import BadSetting


class Backbone(nn.Module, ABC):
    """A segmentation network whose parts can be trained, saved and loaded one by one.

    The names of the parts are the prefixes of its tensors: `encoder`, `decoder.0` (deepest block),
    `decoder.1`, ..., `head`. They never change between pre-training and prediction, so moving weights
    needs no renaming.

    Attributes:
        encoder: Everything up to the deepest features.
        decoder: Blocks from the deepest to the shallowest.
        head: Features of the last block to one score per class.
        widths: Channels of the features that `encode` returns, shallow to deep.
        stride: How often each spatial axis is halved altogether, as a factor; sizes must be its multiples.
    """

    encoder: nn.Module
    decoder: nn.ModuleList
    head: nn.Module
    widths: tuple[int, ...]
    stride: tuple[int, ...]

    @abstractmethod
    def encode(self, images: Tensor) -> list[Tensor]:
        """Images (B, C, *S) to features [(B, D, *S / 2^level)], shallow to deep."""

    @abstractmethod
    def decode(self, features: Sequence[Tensor], depth: int | None = None) -> Tensor:
        """Run the `depth` deepest decoder blocks (all by default) on what `encode` returned."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, *S) to class scores (B, classes, *S)."""
        return self.head(self.decode(self.encode(images)))


def network_names() -> tuple[str, ...]:
    """Names of the networks in this folder: every file that defines a `Network`."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple(f.stem for f in files if "\nclass Network(Backbone)" in f.read_text(encoding="utf-8"))


def build_network(name: str, *, seed: int, **arguments: Any) -> Backbone:
    """Build a network by the name of its file, with weights drawn from `seed`.

    Args:
        arguments: `in_channels`, `classes`, `width`, `spatial_dims` and `pools`.

    Raises:
        BadSetting: No network of that name.
    """
    if name not in network_names():
        raise BadSetting(f'There is no network "{name}".', f"Choose one of: {', '.join(network_names())}.")
    module = importlib.import_module(f"ContrastiveSegLib.networks.{name}")
    with torch.random.fork_rng(devices=[]):  # the caller's own random numbers stay as they were
        torch.manual_seed(seed)
        network: Backbone = module.Network(**arguments)
    return network


def pools_for(patch: Sequence[int], levels: int = 4) -> tuple[tuple[int, ...], ...]:
    """How each axis shrinks from level to level: halved as long as at least four positions remain.

    A patch of 8 x 128 x 128 (few, thick slices) is thus pooled in plane only after the first level,
    as nnU-Net does. A 2D patch is always halved: its sides are multiples of 2^levels by construction.
    """
    sizes, pools = list(patch), []
    for _ in range(levels):
        pool = tuple(2 if len(sizes) == 2 or (n % 2 == 0 and n >= 8) else 1 for n in sizes)
        sizes = [n // p for n, p in zip(sizes, pool, strict=True)]
        pools.append(pool)
    return tuple(pools)
