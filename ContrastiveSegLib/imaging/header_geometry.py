"""Whether a header describes a grid that can be: voxels of some size, at some place, at right angles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.volume import GRID_TOLERANCE_VOXELS, Geometry

# From a millionth of a millimeter to a hundred meters: what is beyond was never measured.
SMALLEST_MM, LARGEST_MM = 1e-6, 1e5
FARTHEST_MM = 1e9
# So far a voxel may lie from where right angles would put it.
LEANING_VOXELS = 0.1

CORRECT = "Correct the header, or export the image again from the original."
SHEARED = "Resample it onto a rectangular grid (in Slicer: load it, harden its transform, save it)."


def sound_geometry(path: Path, geometry: Geometry) -> tuple[Geometry, tuple[str, ...]]:
    """The geometry with axes at right angles, and a note where they were not quite.

    Raises:
        BadFile: Sizes or places of voxels cannot be, or the axes are sheared.
    """
    geometry = _turned_around(geometry)
    numbers = (*geometry.spacing, *geometry.origin, *geometry.direction)
    spacing = " x ".join(f"{s:.4g}" for s in geometry.spacing)
    if not np.isfinite(numbers).all() or not all(SMALLEST_MM <= s <= LARGEST_MM for s in geometry.spacing):
        raise BadFile(f"{path} has voxels of {spacing} mm by its header, which cannot be.", CORRECT)
    if np.abs(geometry.origin).max() > FARTHEST_MM:
        raise BadFile(f"{path} lies {np.abs(geometry.origin).max():.3g} mm away by its header.", CORRECT)
    axes = np.reshape(geometry.direction, (3, 3))
    straight = nearest_right_angles(axes)
    leaning = leaning_voxels(axes, straight, geometry.spacing, geometry.size)
    if leaning <= GRID_TOLERANCE_VOXELS:
        return geometry, ()
    refuse_sheared(path, leaning)
    middle = geometry.index_to_physical((np.array(geometry.size) - 1) / 2)
    origin = middle - straight @ (np.array(geometry.spacing) * (np.array(geometry.size) - 1) / 2)
    straightened = Geometry.from_lists(geometry.size, geometry.spacing, origin, straight.ravel().tolist())
    return straightened, (leaning_note(path, leaning),)


def refuse_sheared(path: Path, leaning: float) -> None:
    """Refuse axes that are farther from right angles than a tenth of a voxel at the border of the volume.

    Raises:
        BadFile: They are.
    """
    if not leaning <= LEANING_VOXELS:
        raise BadFile(
            f"{path} has sheared axes: its header does not describe a grid of right angles; voxels lie up to "
            f"{leaning:.2g} voxels beside one.",
            SHEARED,
        )


def leaning_note(path: Path, leaning: float) -> str:
    return (
        f"{path.name}: the axes are not quite at right angles; they are taken as if they were, which moves "
        f"voxels by {leaning:.2g} of a voxel at most."
    )


def nearest_right_angles(axes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The matrix (3, 3) of orthonormal columns that is nearest to one of nearly orthonormal ones."""
    left, _, right = np.linalg.svd(axes)
    straight: npt.NDArray[np.float64] = left @ right
    return straight


def leaning_voxels(
    axes: npt.NDArray[np.float64],
    straight: npt.NDArray[np.float64],
    spacing: tuple[float, ...],
    size: tuple[int, ...],
) -> float:
    """How far right angles move a voxel at the corners of a volume whose middle stays, in voxels."""
    half = np.array(spacing) * (np.array(size) - 1) / 2
    signs = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, 8)
    moved = (axes - straight) @ (half[:, None] * signs)  # (3, 8)
    return float(np.linalg.norm(moved, axis=0).max() / min(spacing))


def _turned_around(geometry: Geometry) -> Geometry:
    """A negative spacing means an axis that runs the other way, as SimpleITK takes it for images."""
    signs = np.where(np.array(geometry.spacing) < 0, -1.0, 1.0)
    if (signs > 0).all():
        return geometry
    a, b, c = (abs(s) for s in geometry.spacing)
    direction = (np.reshape(geometry.direction, (3, 3)) * signs).ravel().tolist()
    return Geometry.from_lists(geometry.size, (a, b, c), geometry.origin, direction)
