"""A volume as the stack of gray slices that a promptable model sees, and label maps cut the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import slicing_axes
from ContrastiveSegLib.imaging.hounsfield import modality_of
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.resampling import PERCENTILES, Intensities, window_of


@dataclass(frozen=True)
class Cut:
    """Along which numpy axis of (K, H, W) a volume is cut into slices."""

    axis: int

    @classmethod
    def of(cls, geometry: Geometry, plane: str = "auto") -> Cut:
        """Across the coarsest axis, as the volume was scanned; otherwise in the plane that is asked."""
        return cls(3 - abs(slicing_axes(geometry, "axial" if plane == "auto" else plane)[2]))

    def stack(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The slices of (K, H, W), one after the other; a view."""
        return np.moveaxis(array, self.axis, 0)

    def unstack(self, slices: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Back to (K, H, W)."""
        return np.ascontiguousarray(np.moveaxis(slices, 0, self.axis))

    def pixel_mm2(self, geometry: Geometry) -> float:
        """Area of a pixel of a slice."""
        sides = [spacing for axis, spacing in enumerate(geometry.spacing_khw) if axis != self.axis]
        return sides[0] * sides[1]

    def slice_mm(self, geometry: Geometry) -> float:
        """Distance of two slices."""
        return geometry.spacing_khw[self.axis]


def gray_volume(image: Volume, intensities: Intensities, *, channel: int = 1) -> npt.NDArray[np.uint8]:
    """Gray values 0...255 of one channel (K, H, W), by the same window as in training.

    Raises:
        BadSetting: The image has no such channel.
    """
    if channel > len(image.array):
        raise BadSetting(
            f"The image has {len(image.array)} channel(s), asked was for number {channel}.",
            f"Choose a channel from 1 to {len(image.array)}.",
        )
    values = image.array[channel - 1]
    modality = intensities.modality if intensities.modality != "auto" else modality_of(values)
    low, high = window_of(values, modality, intensities) or np.percentile(values, PERCENTILES)
    if high <= low:  # more than 99 % of the voxels are alike
        low, high = float(values.min()), float(values.max())
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return np.round(255 * scaled).astype(np.uint8)
