"""A volume as the stack of gray slices that a promptable model sees, and label maps cut the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import slice_axis
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities, limits, scaled, window_of


@dataclass(frozen=True)
class Cut:
    """Along which numpy axis of (K, H, W) a volume is cut into slices."""

    axis: int

    @classmethod
    def of(cls, geometry: Geometry, plane: str = "auto") -> Cut:
        """Across the coarsest axis, as the volume was scanned; otherwise in the plane that is asked."""
        return cls(2 - slice_axis(geometry, "axial" if plane == "auto" else plane))

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
    window = window_of(values, intensities.modality_of(values), intensities)
    return np.round(255 * scaled(values, *limits(values, window))).astype(np.uint8)
