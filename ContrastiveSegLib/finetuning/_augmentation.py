"""Strong augmentation of annotated patches: spatial for image and labels, then intensity."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast.augmentation import (
    IntensityAugmentation,
    SpatialAugmentation,
    augment_intensities,
    random_grid,
    warp,
)
from ContrastiveSegLib.training.batches import Batch

# How much larger than the patch the images must come, so that rotation finds pixels.
MARGIN = 1.3


class Augmentation:
    """Cuts patches out of a batch that comes larger by MARGIN.

    Args:
        patch: Size of what is returned.
        rotation: Largest rotation in plane, in degrees.
        mirror: Whether to mirror at random.
        beyond: Label of what lies beyond the image: it is shown black, and black is background (0), unless
            only painted voxels count (IGNORE_LABEL).

    Source: the recipe of Isensee et al., nnU-Net, Nature Methods 2021, doi 10.1038/s41592-020-01008-z.
    """

    def __init__(
        self, patch: Sequence[int], rotation: float = 30.0, *, mirror: bool = False, beyond: int = 0
    ) -> None:
        self.patch, self.beyond = tuple(patch), beyond
        self.spatial = SpatialAugmentation(
            rotation=math.radians(rotation), scale=0.25, shift=0.0, flip=mirror, elastic=0.01
        )
        self.intensity = IntensityAugmentation(
            brightness=0.25, contrast=0.25, gamma=0.4, noise=0.05, blur=0.7, probability=0.3
        )

    @torch.no_grad()
    def __call__(self, batch: Batch, generator: Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, *patch) and labels (B, *patch), IGNORE_LABEL where nothing is annotated.

        Raises:
            ValueError: The batch was drawn without labels.
        """
        images, labels = self.spatial_augmentation(batch, generator)
        return self.intensity_augmentation(images, generator), labels

    @torch.no_grad()
    def spatial_augmentation(self, batch: Batch, generator: Generator) -> tuple[Tensor, Tensor]:
        """The same with the gray values as they were.

        Raises:
            ValueError: The batch was drawn without labels.
        """
        if batch.labels is None:
            raise ValueError("fine-tuning needs a batch with labels")
        grid = random_grid(batch.images, self.spatial, generator, size=self.patch)
        # Beyond the image the grid finds 0, so labels are counted from `beyond` while they move.
        labels = warp((batch.labels - self.beyond)[:, None].float(), grid, mode="nearest")[:, 0]
        return warp(batch.images, grid), labels.long() + self.beyond

    @torch.no_grad()
    def intensity_augmentation(self, images: Tensor, generator: Generator) -> Tensor:
        """Images (B, C, *patch) with other gray values, each time others."""
        return augment_intensities(images, self.intensity, generator)
