"""How gray values become 0...1: by a window of Hounsfield units, one's own, or percentiles of each case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.hounsfield import modality_of, reading_of_ct

# Hounsfield units of soft tissue with some air and bone: kidney, liver, heart, vessels keep their contrast.
CT_WINDOW = (-200.0, 300.0)
PERCENTILES = (0.5, 99.5)
MODALITIES = ("auto", "ct", "other")


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

    def modality_of(self, values: npt.NDArray[Any]) -> str:
        """What an image with these values is taken for: "ct" or "other"."""
        return self.modality if self.modality != "auto" else modality_of(values)


def window_of(
    channel: npt.NDArray[Any], modality: str, intensities: Intensities
) -> tuple[float, float] | None:
    """Lowest and highest gray value of a channel that count; None if its percentiles say it."""
    if intensities.window or modality != "ct":
        return intensities.window
    reading = reading_of_ct(channel)
    return (CT_WINDOW[0] + reading.shift, CT_WINDOW[1] + reading.shift) if reading.are_units else None


def limits(values: npt.NDArray[Any], window: tuple[float, float] | None) -> tuple[float, float]:
    """The gray values that become 0 and 1: those of the window, or robust percentiles."""
    low, high = window or np.percentile(values, PERCENTILES)
    if high <= low:  # more than 99 % of the voxels are alike: a small object in a large empty field
        low, high = float(values.min()), float(values.max())
    return low, high


def scaled(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[Any]:
    """Gray values from 0 at `low` to 1 at `high`; what lies beyond is cut."""
    found: npt.NDArray[Any] = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return found
