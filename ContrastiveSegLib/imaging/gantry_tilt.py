"""Slices that are stacked obliquely, as in CT with a tilted gantry: each is moved within its plane."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.imaging.volume import Geometry, Volume

Places = npt.NDArray[np.float64]

# A stack whose slices stray less far, in pixels, is as good as straight.
STRAIGHT = 0.5


def is_tilted(places: Places) -> bool:
    """Whether slices lie beside the grid that they are read on.

    Args:
        places: (N, 3) where the first voxel of each slice lies, in voxels of the grid: (0, 0, k) if straight.
    """
    return bool(np.abs(places[:, :2]).max(initial=0) > STRAIGHT)


def in_slices(points: Places, places: Places) -> Places:
    """Points (M, 3) in voxels of the grid as places in the slices: column, row, number of the slice.

    Args:
        places: As for `is_tilted`.
    """
    depth, slices = points[:, 2], places[:, 2]
    outside = np.minimum(depth, 0) + np.maximum(depth - slices[-1], 0)
    numbers = np.arange(len(slices))
    counted = np.interp(depth, slices, numbers) + outside
    moved = [points[:, axis] - np.interp(counted, numbers, places[:, axis]) for axis in (0, 1)]
    return np.stack([*moved, counted], axis=1)


def straight_grid(grid: Geometry, places: Places) -> Geometry:
    """A grid in the planes of the slices that holds all of them where they were taken."""
    low, high = _reach(places)
    thickness = grid.spacing[2] * float(places[-1, 2] - places[0, 2]) / max(len(places) - 1, 1)
    i, j, k = grid.size
    return replace(
        grid,
        size=(i + int(high[0] - low[0]), j + int(high[1] - low[1]), k),
        spacing=(*grid.spacing[:2], thickness or grid.spacing[2]),
        origin=tuple(grid.index_to_physical((*low, 0)).tolist()),
    )


def straightened(volume: Volume, places: Places, *, labels: bool = False) -> Volume:
    """The voxels on the straight grid: between two pixels gray values are interpolated, labels are not.

    What no slice shows becomes the smallest value of the image, which is air in CT, or 0 in labels.

    Args:
        volume: (C, K, H, W) or (K, H, W), on the grid that the slices are read on.
    """
    low, _ = _reach(places)
    grid = straight_grid(volume.geometry, places)
    channels = volume.array.reshape(-1, *volume.geometry.shape)
    moved = np.empty((len(channels), *grid.shape), volume.array.dtype)
    for channel, out in zip(channels, moved, strict=True):
        empty = 0 if labels else channel.min()
        for pixels, place, target in zip(channel, places, out, strict=True):
            target[:] = _moved(pixels, low - place[:2], target.shape, 0 if labels else 1, empty)
        if not labels and bool((channel == np.rint(channel)).all()):
            np.rint(out, out=out)  # by whole numbers a CT is recognized
    return Volume(moved.reshape(*volume.array.shape[:-3], *grid.shape), grid)


def _moved(
    pixels: npt.NDArray[Any], shift: Places, shape: tuple[int, ...], order: int, empty: Any
) -> npt.NDArray[Any]:
    """A slice (H, W), of which pixel (0, 0) of the result lies at `shift` (column, row)."""
    found: npt.NDArray[Any] = ndimage.affine_transform(
        pixels, np.ones(2), shift[::-1], shape, order=order, mode="grid-constant", cval=float(empty)
    )
    return found


def _reach(places: Places) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How far slices stray along columns and rows, in whole pixels."""
    strayed = np.round(places[:, :2], 3)
    return (
        np.floor(strayed.min(0, initial=0)).astype(int),
        np.ceil(strayed.max(0, initial=0)).astype(int),
    )
