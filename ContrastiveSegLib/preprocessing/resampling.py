"""prepare() to the working grid and restore() back: two inverses side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import WorkingGrid, working_geometry
from ContrastiveSegLib.imaging.hounsfield import modality_of, reading_of_ct
from ContrastiveSegLib.imaging.volume import Geometry, Volume

# Hounsfield units of soft tissue with some air and bone: kidney, liver, heart, vessels keep their contrast.
CT_WINDOW = (-200.0, 300.0)
PERCENTILES = (0.5, 99.5)
MODALITIES = ("auto", "ct", "other")

# From this factor on, voxels in between would be skipped, so the image is smoothed first.
COARSENING_THAT_NEEDS_SMOOTHING = 1.5


@dataclass(frozen=True)
class Intensities:
    """How gray values become 0...1.

    Args:
        modality: "auto" looks at each case; "ct" uses the window; "other" robust percentiles of each case.
        window: Lowest and highest value, instead of what the modality suggests.

    Raises:
        BadSetting: There is no such modality, or nothing lies between the two values.
    """

    modality: str = "auto"
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            what = f"There is no modality {self.modality!r}."
            raise BadSetting(what, f"Choose from: {', '.join(MODALITIES)}.")
        if self.window and not self.window[0] < self.window[1]:
            what = f"Nothing lies in a window of gray values from {self.window[0]:g} to {self.window[1]:g}."
            raise BadSetting(what, "Give the lowest value first, and a greater one as the highest.")


def prepare(image: Volume, grid: WorkingGrid, intensities: Intensities) -> tuple[Volume, str]:
    """Resample to the working grid and scale to 0...1.

    Returns:
        Working image (C, K, H, W) float16, and the modality found: "ct" or "other".
    """
    geometry = working_geometry(image.geometry, grid)
    modality = intensities.modality if intensities.modality != "auto" else modality_of(image.array)
    channels = [
        _scaled(
            _resampled(Volume(channel, image.geometry), geometry), window_of(channel, modality, intensities)
        )
        for channel in image.array
    ]
    return Volume(np.stack(channels), geometry), modality


def window_of(
    channel: npt.NDArray[Any], modality: str, intensities: Intensities
) -> tuple[float, float] | None:
    """Lowest and highest gray value of a channel that count; None if its percentiles say it."""
    if intensities.window or modality != "ct":
        return intensities.window
    reading = reading_of_ct(channel)
    return (CT_WINDOW[0] + reading.shift, CT_WINDOW[1] + reading.shift) if reading.are_units else None


def prepare_labels(labels: Volume, working: Geometry) -> Volume:
    """Bring a label map (K, H, W) to the working grid, smooth at its borders, no value invented."""
    return _labels_to(labels, working, sitk.sitkLabelLinear)


def restore(labels: Volume, original: Geometry) -> Volume:
    """Bring a label map from the working grid back to exactly its image's grid.

    On a grid that only turned its axes, not one voxel differs.
    """
    return _labels_to(labels, original, sitk.sitkNearestNeighbor)


def _scaled(channel: npt.NDArray[np.float32], window: tuple[float, float] | None) -> npt.NDArray[np.float16]:
    """Clip to the window or to robust percentiles, and scale to 0...1."""
    low, high = window or np.percentile(channel, PERCENTILES)
    if high <= low:  # more than 99 % of the voxels are alike: a small object in a large empty field
        low, high = float(channel.min()), float(channel.max())
    scaled = np.empty(channel.shape, np.float16)
    for plane, out in zip(channel, scaled, strict=True):  # whole volumes would pass through float64
        out[:] = np.clip((plane - low) / max(high - low, 1e-12), 0, 1)
    return scaled


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
