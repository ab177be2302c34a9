"""Cells of the feature grid that stand for a structure, and cells that stand for what surrounds it.

Source: docs/strategies/dual_ssl.md. It has one organ. With several, the
skeleton of each is a class of its own, and background near any of them is one class more; a cell of another
structure never stands for the surroundings, or it would be pulled towards them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from skimage.morphology import skeletonize
from torch import Generator, Tensor
from torch.nn import functional as F

from ContrastiveSegLib.contrast.regions import on_feature_grid
from ContrastiveSegLib.distributed.gathering import first_own, gathered_lists, of_all, own

SMALLEST_MASK = 10  # cells of a structure in a slice, below which its middle says little
SMALLEST_RING = 5
RING_WIDTHS = (10, 20)  # of the box that dilates a structure, in voxels, both ends included
FLATTER = 3  # voxels that the box is shorter across slices
MOST_OF_A_CLASS = 64

Mask = npt.NDArray[np.bool_]
POOL: dict[int, Any] = {4: F.max_pool2d, 5: F.max_pool3d}


@dataclass(frozen=True)
class Cells:
    """Chosen cells of the feature grid.

    Attributes:
        images: (N,) which image of the batch.
        places: (N,) which cell of its grid, counted row by row.
        classes: (N,) its structure, or 0 for the surroundings.
    """

    images: Tensor
    places: Tensor
    classes: Tensor

    def of(self, features: Tensor) -> Tensor:
        """Features (B, D, *size) at the cells: (N, D)."""
        return features.flatten(2)[self.images, :, self.places]


@torch.no_grad()
def structure_cells(
    labels: Tensor, size: Sequence[int], classes: int, generator: Generator, *, reach: float = 1.0
) -> Cells:
    """For each slice of the feature grid one cell on the skeleton of every structure, and one in its ring.

    Dilation runs on the device; the small maps of cells are thinned on the CPU.

    Args:
        labels: (B, *S) class indices, negative where nothing is annotated; such cells are never chosen.
        size: Of the feature grid.
        classes: Structures and background.
        reach: How far the ring reaches across slices, as a part of how far it does in plane: thick slices.
    """
    random = np.random.default_rng(int(torch.randint(2**31, (), generator=generator, device=labels.device)))
    width = int(random.integers(RING_WIDTHS[0], RING_WIDTHS[1] + 1))
    box = (max(round((width - FLATTER) * reach), 1), width, width)[-len(size) :]
    steps = [side // cells for side, cells in zip(labels.shape[1:], size, strict=True)]
    near = dilated(structure_masks(labels, classes), box, steps).cpu().numpy()  # (B, structures, *size)
    at_cell = on_feature_grid(labels, size).cpu().numpy()  # (B, *size)
    inside = np.stack([at_cell == value for value in range(1, classes)], 1)
    ring = near & (at_cell == 0)[:, None]

    structures = _one_per_slice(inside, thinned(inside, dims=len(size)), SMALLEST_MASK, random)
    surroundings = _one_per_slice(ring, thinned(ring, dims=2), SMALLEST_RING, random)
    surroundings[:, 2] = 0
    chosen = _at_most(np.concatenate([_of_all(structures), _of_all(surroundings)]), random)
    chosen[:, 0] -= first_own()
    here = chosen[(chosen[:, 0] >= 0) & (chosen[:, 0] < len(labels))]
    return Cells(*torch.from_numpy(here).to(labels.device).unbind(1))


def _of_all(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Cells (N, 3) of all processes, with the number that their image has among those of all."""
    numbered = cells + np.array([first_own(), 0, 0])
    found: npt.NDArray[np.int64] = gathered_lists(torch.from_numpy(numbered)).numpy()
    return found


def structure_masks(labels: Tensor, classes: int) -> Tensor:
    """Labels (B, *S) to where each structure is: (B, classes - 1, *S)."""
    return torch.stack([labels == value for value in range(1, classes)], 1)


def dilated(masks: Tensor, box: Sequence[int], steps: Sequence[int] | None = None) -> Tensor:
    """Whether a box around each voxel meets the mask, as in `largest_around`."""
    meets: Tensor = largest_around(masks.float(), box, steps) > 0
    return meets


def largest_around(values: Tensor, box: Sequence[int], steps: Sequence[int] | None = None) -> Tensor:
    """The largest value in a box around each voxel: (B, N, *S) to the same, or to every step-th voxel.

    Args:
        box: Sides in voxels; of an even side the larger half lies before the voxel.
        steps: Along each axis; what is between is not computed.
    """
    steps, sizes = steps or (1,) * len(box), values.shape[2:]
    for axis, (side, step) in enumerate(zip(box, steps, strict=True)):  # cheaper than all axes at once
        window = [_along(axis, n, len(box), other) for n, other in ((side, 1), (step, 1), (side // 2, 0))]
        values = POOL[values.ndim](values, *window).narrow(axis + 2, 0, -(-sizes[axis] // step))
    return values


def _along(axis: int, value: int, dims: int, other: int) -> list[int]:
    return [value if a == axis else other for a in range(dims)]


def thinned(masks: Mask, *, dims: int) -> Mask:
    """The skeleton of each mask (..., *S), slice by slice where `dims` is 2, all in one call.

    Masks lie beside each other with an empty row between them: thinning looks no further than one voxel.
    """
    flat = masks.reshape(-1, *masks.shape[masks.ndim - dims :])
    apart = np.pad(flat, [(0, 0), (0, 1), *[(0, 0)] * (dims - 1)])
    thin: Mask = skeletonize(apart.reshape(-1, *apart.shape[2:])) > 0
    return thin.reshape(apart.shape)[:, :-1].reshape(masks.shape)


def _one_per_slice(
    masks: Mask, skeletons: Mask, smallest: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """A random cell of each slice's skeleton as rows of image, place and class: (N, 3).

    Args:
        masks: (B, structures, *size); slices with fewer cells than `smallest` are passed over.
    """
    images, structures, *size = masks.shape
    slices = (images, structures, size[0] if len(size) == 3 else 1, size[-2] * size[-1])
    enough = masks.reshape(slices).sum(3) >= smallest
    drawn = own(torch.from_numpy(random.random((of_all(images), *slices[1:])))).numpy()
    lots = drawn * skeletons.reshape(slices)
    image, structure, k = np.nonzero(enough & (lots.max(3) > 0))
    cell = lots.argmax(3)[image, structure, k]
    return np.stack([image, k * slices[3] + cell, structure + 1], 1)


def _at_most(cells: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[np.int64]:
    """The cells (N, 3), of each class not more than MOST_OF_A_CLASS, drawn at random."""
    cells = random.permutation(cells)
    kept = [cells[cells[:, 2] == value][:MOST_OF_A_CLASS] for value in np.unique(cells[:, 2])]
    return np.concatenate([cells[:0], *kept])
