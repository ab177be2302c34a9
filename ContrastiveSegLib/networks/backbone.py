"""The interface of every network: encode(), decode(depth), head; parts loadable by name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.registry import load_entry
from ContrastiveSegLib.settings.network_catalog import network_names

KEPT = 4  # positions of an axis below which it is not halved further


class Backbone(nn.Module, ABC):
    """A segmentation network whose parts can be trained, saved and loaded one by one.

    The names of the parts are the prefixes of its tensors: `encoder`, `decoder.0` (deepest block),
    `decoder.1`, ..., `head`. They never change between pre-training and prediction, so moving weights
    needs no renaming.

    Attributes:
        dims: Spatial dimensions the network can be built for: 2 for slices, 3 for volumes.
        smallest_deepest: Fewest positions along each axis of the deepest features. 2 where they pass an
            instance norm: it has nothing to average over in a single position, and torch refuses. Batch norm
            averages over the batch too and is content with 1.
        encoder: Images to features, shallow to deep.
        decoder: Blocks from the deepest to the shallowest; each takes the deep features and its skip.
        head: Features of the last block to one score per class.
        in_channels: Channels of the images.
        widths: Channels of the features that `encode` returns, shallow to deep.
        stride: How often each spatial axis is halved altogether, as a factor; sizes must be its multiples.
        downsampling: How much coarser than the image it computes, in 2D. Its features are of that
            resolution; what `forward` returns has the size of the image.
    """

    dims: ClassVar[tuple[int, ...]] = (2, 3)
    smallest_deepest: ClassVar[int] = 1
    encoder: nn.Module
    decoder: nn.ModuleList
    head: nn.Module
    in_channels: int
    widths: tuple[int, ...]
    stride: tuple[int, ...]
    downsampling: int = 1

    @abstractmethod
    def __init__(
        self,
        *,
        in_channels: int = 1,
        classes: int = 2,
        base_channels: int = 32,
        spatial_dims: int = 2,
        pools: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """Build the parts.

        Args:
            in_channels: Channels of the image.
            classes: Structures and background.
            base_channels: Channels of the first level.
            spatial_dims: One of `dims`.
            pools: How each axis shrinks from level to level; halved everywhere by default.

        Raises:
            BadSetting: The network cannot be built for these dimensions or pools.
        """
        super().__init__()

    def encode(self, images: Tensor) -> list[Tensor]:
        """Images (B, C, *S) to features [(B, D, *S / 2^level)], shallow to deep."""
        if self.downsampling > 1:
            images = F.avg_pool2d(images, self.downsampling)
        features: list[Tensor] = self.encoder(images)
        return features

    def decode(self, features: Sequence[Tensor], depth: int | None = None) -> Tensor:
        """Run the `depth` deepest decoder blocks (all by default) on what `encode` returned."""
        deep = features[-1]
        for block, skip in zip(self.decoder[:depth], features[-2::-1], strict=False):
            deep = block(deep, skip)
        return deep

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, *S) to class scores (B, classes, *S)."""
        return self._enlarged(self.head(self.decode(self.encode(images))), images)

    def training_scores(self, images: Tensor) -> list[Tensor]:
        """Every map of class scores that a loss may look at; the first is what `forward` returns.

        Networks with deep supervision add maps of coarser levels (B, classes, *S / 2^level), each at its own
        size, fine to coarse, so that deep decoder blocks learn directly. The caller weighs them, and brings
        the labels to their sizes.
        """
        first, *coarser = self.scores_at_every_level(self.encode(images))
        # Labels at half the size would lie half a pixel beside the mean of pixels that `encode` takes.
        return [self._enlarged(first, images), *coarser]

    def _enlarged(self, scores: Tensor, images: Tensor) -> Tensor:
        """Scores of a coarse network at the size of the images."""
        return F.interpolate(scores, images.shape[2:], mode="bilinear") if self.downsampling > 1 else scores

    def scores_at_every_level(self, features: Sequence[Tensor]) -> list[Tensor]:
        """`training_scores` for those who need the features too: from what `encode` returned."""
        return [self.head(self.decode(features))]


class Stages(nn.ModuleList):
    """An encoder of stages that run one after the other, each giving one level of features."""

    def forward(self, images: Tensor) -> list[Tensor]:
        features: list[Tensor] = []
        for stage in self:
            features.append(stage(features[-1] if features else images))
        return features


def network_class(name: str) -> type[Backbone]:
    """The network of that file, not yet built; it knows its `dims` and `smallest_deepest`.

    Raises:
        BadSetting: No network of that name.
    """
    found: type[Backbone] = load_entry("networks", name, what="network", defining="Network").Network
    return found


def build_network(name: str, *, seed: int, downsampling: int = 1, **arguments: Any) -> Backbone:
    """Build a network by the name of its file, with weights drawn from `seed`.

    Args:
        downsampling: See `Backbone`.
        arguments: `in_channels`, `classes`, `base_channels`, `spatial_dims` and `pools`.

    Raises:
        BadSetting: No network of that name, or it cannot be built for these dimensions or pools.
    """
    with torch.random.fork_rng(devices=[]):  # the caller's own random numbers stay as they were
        torch.manual_seed(seed)
        network = network_class(name)(**arguments)
    network.in_channels = arguments.get("in_channels", 1)
    network.downsampling = downsampling
    network.stride = tuple(stride * downsampling for stride in network.stride)
    return network


def check_fit(network: Backbone, spatial_dims: int, pools: Sequence[Sequence[int]] | None) -> None:
    """Refuse, in the constructor of a network with limits, what it was not made for; `stride` must be set.

    Raises:
        BadSetting: Other dimensions than its own, or an axis with fewer positions than its stride.
    """
    name = type(network).__module__.rpartition(".")[2]
    if spatial_dims not in network.dims:
        others = [other for other in network_names() if spatial_dims in network_class(other).dims]
        raise BadSetting(
            f"The network {name} cannot be built in {spatial_dims}D, only in "
            f"{' and '.join(f'{n}D' for n in network.dims)}.",
            f"Choose one of: {', '.join(others)}.",
        )
    for pooled, stride in zip(zip(*(pools or ()), strict=True), network.stride, strict=False):
        if math.prod(pooled) * KEPT < stride:
            raise BadSetting(
                f"The network {name} divides every axis by {stride}, but the patches have fewer than "
                f"{stride} slices.",
                f"Choose the network unet or dynunet, or patches of {stride} or more slices.",
            )


def fitting_patch(
    network: Backbone, patch: Sequence[int], *, shrunk: Sequence[int] | None = None
) -> tuple[int, ...]:
    """The smallest patch, at least as large as this one, whose sides the network can halve as it must.

    Args:
        shrunk: How much smaller a second branch of a method sees the patch, along each axis.
    """
    shrunk = shrunk or (1,) * len(patch)
    multiples = [n * less for n, less in zip(network.stride, shrunk, strict=True)]
    return tuple(
        max(math.ceil(side / n), network.smallest_deepest) * n
        for side, n in zip(patch, multiples, strict=True)
    )


def check_sides(network: Backbone, patch: Sequence[int], *, shrunk: Sequence[int] | None = None) -> None:
    """Refuse a patch that does not fit.

    Raises:
        BadSetting: A side is not divisible, or nothing is left of it; names a patch that fits.
    """
    fitting = fitting_patch(network, patch, shrunk=shrunk)
    if fitting != tuple(patch):
        smallest = fitting_patch(network, (1,) * len(patch), shrunk=shrunk)
        multiples = [side // network.smallest_deepest for side in smallest]
        raise BadSetting(
            f"The patch is {_sizes(patch)}, but this network and method need multiples of "
            f"{_sizes(multiples)}, at least {_sizes(smallest)}.",
            f"Try --patch {' '.join(map(str, fitting))}.",
        )


def _sizes(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def pools_for(patch: Sequence[int], levels: int = 4) -> tuple[tuple[int, ...], ...]:
    """How each axis shrinks from level to level: halved as long as at least four positions remain.

    A patch of 8 x 128 x 128 (few, thick slices) is thus pooled in plane only after the first level,
    as nnU-Net does. A 2D patch is always halved: its sides are multiples of 2^levels by construction.
    """
    sizes, pools = list(patch), []
    for _ in range(levels):
        pool = tuple(2 if len(sizes) == 2 or (n % 2 == 0 and n >= 2 * KEPT) else 1 for n in sizes)
        sizes = [n // p for n, p in zip(sizes, pool, strict=True)]
        pools.append(pool)
    return tuple(pools)
