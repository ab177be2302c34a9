"""Masks of hearts whose outlines stray smoothly: what a refinement is to mend."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.imaging.volume import Volume

RIGHT, WALL, LEFT = 1, 2, 3
# How far a coarsened outline strays, and over which distance it stays on one side.
ERROR_SD_MM, ERROR_LENGTH_MM = 5.0, 10.0


def coarsened(labels: Volume, generator: np.random.Generator) -> Volume:
    """Labels (K, H, W) whose outlines stray smoothly: each chamber and the heart's outline by itself."""
    sides = labels.geometry.spacing_khw[1:]
    array = np.zeros_like(labels.array)
    for k, true in enumerate(labels.array):
        left, heart = (_strayed(m, sides, generator) for m in (true == LEFT, np.isin(true, (LEFT, WALL))))
        right = _strayed(true == RIGHT, sides, generator)
        array[k][right] = RIGHT
        array[k][heart] = WALL
        array[k][left & heart] = LEFT
    return Volume(array, labels.geometry)


def _strayed(
    mask: npt.NDArray[np.bool_], sides: tuple[float, ...], generator: np.random.Generator
) -> npt.NDArray[np.bool_]:
    if not mask.any():
        return mask
    outside = ndimage.distance_transform_edt(~mask, sampling=sides)
    inside = ndimage.distance_transform_edt(mask, sampling=sides)
    noise = ndimage.gaussian_filter(generator.normal(size=mask.shape), [ERROR_LENGTH_MM / s for s in sides])
    return outside - inside + ERROR_SD_MM * noise / noise.std() < 0
