"""prepare() to the working grid and restore() back: two inverses side by side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.imaging.grid import WorkingGrid, working_geometry
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities, limits, scaled, window_of

# From this factor on, voxels in between would be skipped, so the image is smoothed first.
COARSENING_THAT_NEEDS_SMOOTHING = 1.5


def prepare(image: Volume, grid: WorkingGrid, intensities: Intensities) -> tuple[Volume, str]:
    """Resample to the working grid and scale to 0...1.

    Returns:
        Working image (C, K, H, W) float16, and the modality found: "ct" or "other".
    """
    geometry = working_geometry(image.geometry, grid)
    modality = intensities.modality_of(image.array)
    channels = [
        _scaled(
            _resampled(Volume(channel, image.geometry), geometry), window_of(channel, modality, intensities)
        )
        for channel in image.array
    ]
    return Volume(np.stack(channels), geometry), modality


def prepare_labels(labels: Volume, working: Geometry) -> Volume:
    """Bring a label map (K, H, W) to the working grid, smooth at its borders, no value invented."""
    return _labels_to(labels, working, sitk.sitkLabelLinear)


def restore(labels: Volume, original: Geometry) -> Volume:
    """Bring a label map from the working grid back to exactly its image's grid.

    On a grid that only turned its axes, not one voxel differs.
    """
    return _labels_to(labels, original, sitk.sitkNearestNeighbor)


def _scaled(channel: npt.NDArray[np.float32], window: tuple[float, float] | None) -> npt.NDArray[np.float16]:
    low, high = limits(channel, window)
    found = np.empty(channel.shape, np.float16)
    for plane, out in zip(channel, found, strict=True):  # whole volumes would pass through float64
        out[:] = scaled(plane, low, high)
    return found


def _resampled(channel: Volume, geometry: Geometry) -> npt.NDArray[np.float32]:
    """Linear interpolation, smoothed first along axes that become much coarser."""
    image = channel.to_sitk()
    old, new = (np.array(g.direction).reshape(3, 3) for g in (channel.geometry, geometry))
    for axis in range(3):
        target = geometry.spacing[int(np.argmax(np.abs(new.T @ old[:, axis])))]
        ratio = target / channel.geometry.spacing[axis]
        if ratio >= COARSENING_THAT_NEEDS_SMOOTHING and channel.geometry.size[axis] >= 4:
            image = sitk.RecursiveGaussian(image, 0.4 * target, direction=axis)
    resampled = sitk.Resample(
        image, geometry.size, sitk.Transform(), sitk.sitkLinear,
        geometry.origin, geometry.spacing, geometry.direction, 0.0, sitk.sitkFloat32,
    )  # fmt: skip
    del image  # the two copies below need its memory
    return sitk.GetArrayFromImage(resampled)


def _labels_to(labels: Volume, geometry: Geometry, interpolator: int) -> Volume:
    resampled = sitk.Resample(labels.to_sitk(), reference_of(geometry), sitk.Transform(), interpolator, 0.0)
    return Volume(sitk.GetArrayFromImage(resampled), geometry)


def reference_of(geometry: Geometry) -> sitk.Image:
    """An image that carries only the geometry; one byte per voxel is the least SimpleITK takes."""
    image = sitk.Image(geometry.size, sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image
