"""Whether gray values look like Hounsfield units, and what to do where they are said to be and do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE = 200_000

AIR, HIGHEST = -500.0, 32_000.0
# DICOM stores CT as Hounsfield units + 1024; then a body lies here, where otherwise only dense bone is found.
SHIFT, SHIFTED_BODY, DARKEST_SHIFTED, LEAST_BODY = 1024.0, (-150.0, 200.0), -200.0, 0.1
# Above cortical bone there is only metal, and no image shows that alone.
DENSEST = 3000.0
# A picture of 8 bits, or values scaled to 0...1: none of them are Hounsfield units.
BYTE, LEAST_SPREAD = 255.0, 20.0


@dataclass(frozen=True)
class Reading:
    """How the gray values of one channel are to be understood, where the modality is known to be CT.

    Args:
        shift: What has to be taken off to get Hounsfield units.
        are_units: Whether they are Hounsfield units at all.
        note: What was remarkable; "" for an ordinary CT.
    """

    shift: float = 0.0
    are_units: bool = True
    note: str = ""


def modality_of(array: npt.NDArray[Any]) -> str:
    """Whether values look like Hounsfield units ("ct"): whole, air far below zero, nothing beyond metal."""
    sample = _sample(array)
    low, high = float(sample.min()), float(sample.max())
    looks_like_ct = low <= AIR < high <= HIGHEST and bool(np.all(sample == np.round(sample)))
    return "ct" if looks_like_ct else "other"


def reading_of_ct(channel: npt.NDArray[Any]) -> Reading:
    """How to understand the values of an image that is known to be a CT."""
    if modality_of(channel) == "ct":
        return Reading()
    sample = _sample(channel)
    low, high = float(sample.min()), float(sample.max())
    shifted = (sample > SHIFT + SHIFTED_BODY[0]) & (sample < SHIFT + SHIFTED_BODY[1])
    if low > DARKEST_SHIFTED and float(shifted.mean()) > LEAST_BODY:
        return Reading(SHIFT, note=f"its gray values are Hounsfield units + {SHIFT:g}, which was taken off.")
    shows_nothing = high <= AIR or low >= DENSEST
    if (low >= 0 and high <= BYTE) or high - low < LEAST_SPREAD or shows_nothing:
        return Reading(
            are_units=False,
            note=f"its gray values, {low:.4g} to {high:.4g}, are no Hounsfield units, though it should be a "
            "CT; they are scaled by themselves, and what was learned from CT may fail. Export the original.",
        )
    return Reading(
        note="its gray values do not look like those of a CT (no air, or fractions), but are taken as "
        "Hounsfield units, because it should be one."
    )


def gray_notes(array: npt.NDArray[Any], modality: str) -> tuple[str, ...]:
    """Notes on an image (C, K, H, W) that is scaled otherwise than its values suggest.

    Args:
        modality: By which it is scaled: "ct" or "other"; "auto" if by what its values suggest.
    """
    if modality == "ct":
        return tuple(dict.fromkeys(note for channel in array if (note := reading_of_ct(channel).note)))
    if modality == "other" and modality_of(array) == "ct":
        return ("it looks like a CT, but is scaled like other images, as it was learned or asked.",)
    return ()


def _sample(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.reshape(-1)[:: max(1, array.size // SAMPLE)]
