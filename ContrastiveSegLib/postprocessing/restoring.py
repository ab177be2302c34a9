"""Class probabilities from the working grid back to the image's grid, slab by slab, and decided there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.resampling import reference_of

# What waits to be restored together: bytes of all classes; and voxels, each of which takes some 40 bytes.
SLAB_BYTES, SLAB_VOXELS = 2**28, 2**22

Slice = npt.NDArray[np.float16]


def restore_probabilities(
    slices: Iterable[Slice], working: Geometry, original: Geometry
) -> tuple[Volume, Volume]:
    """Bring class probabilities back and decide there: smoother borders than deciding first.

    Args:
        slices: (classes, H, W) of each slice of the working grid, background first; taken one at a time, and
            forgotten as soon as no voxel of the image needs them any more.
        original: A grid with the same axes as the working grid, in any order and direction.

    Returns:
        Class indices (K, H, W) int16 and uncertainty (1, K, H, W) float32: entropy divided by its largest
        possible value, 0 certain ... 1 all classes alike.
    """
    winner = np.zeros(original.shape, np.int16)
    entropy = np.zeros(original.shape, np.float32)
    axis, needed = _needed_slices(working, original)
    left = np.arange(len(needed))  # positions along the axis that are still to be restored
    waiting: list[Slice] = []
    first = 0
    for k, probabilities in enumerate(slices, start=1):
        waiting.append(probabilities)
        done = k == working.shape[0]
        if not done and not _is_full(waiting):
            continue
        ready = left if done else left[needed[left, 1] < k]
        if len(ready):
            slab = _Slab(ready[0], ready[-1] + 1, axis)
            there = slab.of(original)
            here = _Slab(first, k, 2).of(working)
            winner[slab.place()], entropy[slab.place()] = _decided(waiting, here, there)
            left = left[~np.isin(left, ready)]
        # Of the slices that stay some are needed by later positions.
        keep = int(needed[left, 0].min()) if len(left) else k
        waiting, first = waiting[max(keep - first, 0) :], max(keep, first)
    return Volume(winner, original), Volume(entropy[None], original)


def _is_full(waiting: Sequence[Slice]) -> bool:
    """Whether as many slices wait as are restored together."""
    return len(waiting) * waiting[0].nbytes >= SLAB_BYTES or len(waiting) * waiting[0][0].size >= SLAB_VOXELS


class _Slab:
    """Positions of a grid along one of its axes (i, j, k)."""

    def __init__(self, start: int, stop: int, axis: int) -> None:
        self.start, self.stop, self.axis = int(start), int(stop), axis

    def of(self, grid: Geometry) -> Geometry:
        """The part of a grid; the same grid if that is all of it."""
        if (self.start, self.stop) == (0, grid.size[self.axis]):
            return grid
        corner, size = [0, 0, 0], list(grid.size)
        corner[self.axis], size[self.axis] = self.start, self.stop - self.start
        origin = grid.index_to_physical(corner).tolist()
        return Geometry.from_lists(size, grid.spacing, origin, grid.direction)

    def place(self) -> tuple[slice, ...]:
        """The part of an array (K, H, W)."""
        place = [slice(None)] * 3
        place[2 - self.axis] = slice(self.start, self.stop)
        return tuple(place)


def _needed_slices(working: Geometry, original: Geometry) -> tuple[int, npt.NDArray[np.int64]]:
    """Along which axis of the image slices lie, and the first and last slice that each position needs."""
    steps = np.array(working.direction).reshape(3, 3) * working.spacing  # columns: i, j, k
    turned = np.linalg.solve(steps, np.array(original.direction).reshape(3, 3) * original.spacing)
    axis = int(np.argmax(np.abs(turned[2])))
    places = np.zeros((original.size[axis], 3))
    places[:, axis] = np.arange(original.size[axis])
    heights = np.linalg.solve(steps, (original.index_to_physical(places) - working.origin).T)[2]
    # A slice more on each side where a height is whole, as it may be rounded either way.
    reach = np.stack([np.floor(heights - 1e-3), np.floor(heights + 1e-3) + 1], axis=1)
    return axis, np.clip(reach, 0, working.shape[0] - 1).astype(np.int64)


def _decided(
    slices: Sequence[Slice], working: Geometry, original: Geometry
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """Class indices and relative entropy on a grid that these slices suffice for."""
    best = np.full(original.shape, -1.0, np.float32)
    winner = np.zeros(original.shape, np.int16)
    entropy = np.zeros(original.shape, np.float32)
    classes = len(slices[0])
    for index in range(classes):
        probability = np.stack([classes_of_slice[index] for classes_of_slice in slices])
        if index and not probability.any():
            continue  # wins nowhere, and adds nothing to the entropy
        here = _interpolated(Volume(probability.astype(np.float32), working), original)
        better = here > best
        best[better], winner[better] = here[better], index
        entropy -= here * np.log(np.clip(here, 1e-6, 1))
    return winner, np.clip(entropy / np.log(max(classes, 2)), 0, 1)


def _interpolated(values: Volume, geometry: Geometry) -> npt.NDArray[np.float32]:
    resampled = sitk.Resample(
        values.to_sitk(), reference_of(geometry), sitk.Transform(), sitk.sitkLinear, 0.0
    )
    array: npt.NDArray[Any] = sitk.GetArrayFromImage(resampled)
    return array
