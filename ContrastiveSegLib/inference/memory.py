"""How much memory predicting a case takes, known from its header before anything is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import psutil

from ContrastiveSegLib.errors import TooLarge
from ContrastiveSegLib.imaging.grid import WorkingGrid, working_geometry
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.inference.sliding_window import PIXELS_AT_ONCE
from ContrastiveSegLib.postprocessing.intensity_refinement import REACH
from ContrastiveSegLib.postprocessing.restoring import SLAB_BYTES

# Bytes per voxel of the image: as it is read and resampled (for each channel, and once more), then labels,
# uncertainty and the copies that are written.
READING, WRITING = 8, 16
# Of the working grid: class and certainty, for the expected Dice.
CERTAINTY = 3
# The network with what it computes at a time, on top of what the program takes already.
NETWORK_BYTES = 600_000_000


def memory_needed(original: Geometry, grid: WorkingGrid, *, channels: int, classes: int) -> int:
    """Bytes that predicting an image with this header takes at most, beside the program itself."""
    working = working_geometry(original, grid)
    voxels, plane = math.prod(original.shape), math.prod(working.shape[1:])
    at_once = max(1, PIXELS_AT_ONCE // plane)
    begun = 4 * (grid.patch[0] if len(grid.patch) == 3 else 2 * at_once)  # in float32
    waiting = 2 * (REACH + 1 + 2 * at_once)  # in float16, for their neighbors
    slices = classes * plane * (begun + waiting) + min(SLAB_BYTES, 2 * classes * math.prod(working.shape))
    predicting = (2 * channels + CERTAINTY) * math.prod(working.shape) + 6 * voxels + slices
    return NETWORK_BYTES + max(READING * (channels + 1) * voxels, predicting, WRITING * voxels)


def memory_available() -> int:
    """Bytes that the computer could give without moving others to the disk."""
    return int(psutil.virtual_memory().available)


def largest(names: Sequence[str], needed: Sequence[int]) -> str:
    """A sentence about the case that needs most."""
    most = max(range(len(names)), key=lambda n: needed[n])
    return (
        f"The largest case, {names[most]}, needs about {needed[most] / 1e9:.1f} GB of memory; "
        f"{memory_available() / 1e9:.1f} GB are available."
    )


def check_memory(name: str, original: Geometry, needed: int) -> None:
    """Refuse what cannot fit, before it makes the computer stand still.

    Raises:
        TooLarge: It needs more than is available.
    """
    if needed <= (available := memory_available()):
        return
    size = " x ".join(map(str, original.size))
    raise TooLarge(
        f"{name} has {size} voxels: predicting it needs about {needed / 1e9:.1f} GB of memory, and "
        f"{available / 1e9:.1f} GB are available.",
        "Close other programs, or crop the image; a model with a larger --spacing needs less.",
    )
