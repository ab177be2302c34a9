"""Volume: voxels plus the geometry that places them in the patient (LPS, mm)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

Triple = tuple[float, float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]

# Headers store float32 in some formats and rounded text in others; a thousandth of a voxel forgives both
# and is still far below what resampling could show.
GRID_TOLERANCE_VOXELS = 1e-3


@dataclass(frozen=True)
class Geometry:
    """A grid of voxels in patient space, in SimpleITK's order (i, j, k), LPS, mm.

    Args:
        size: Voxels along i, j, k: the reverse of a numpy shape.
        origin: Center of voxel (0, 0, 0).
        direction: Row-major 3 x 3 matrix; its columns are the directions of i, j, k.
    """

    size: tuple[int, int, int]
    spacing: Triple = (1.0, 1.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    direction: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @classmethod
    def of(cls, image: sitk.Image | sitk.ImageFileReader) -> Geometry:
        """The geometry of an image, or of a reader that has read a header; a fourth axis is left out."""
        grid = cast("sitk.Image", image)  # a reader answers the same questions
        i, j, k = grid.GetSize()[:3]
        axes = len(grid.GetSize())
        direction = np.reshape(grid.GetDirection(), (axes, axes))[:3, :3].ravel().tolist()
        return cls(
            (i, j, k), _triple(grid.GetSpacing()[:3]), _triple(grid.GetOrigin()[:3]), _matrix(direction)
        )

    @classmethod
    def from_lists(
        cls,
        size: Sequence[int],
        spacing: Sequence[float],
        origin: Sequence[float],
        direction: Sequence[float],
    ) -> Geometry:
        """The same values as lists, as JSON and computations give them."""
        i, j, k = size
        return cls((i, j, k), _triple(spacing), _triple(origin), _matrix(direction))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numpy shape (K, H, W) of this grid."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def spacing_khw(self) -> Triple:
        """The spacing in the order of the numpy axes (K, H, W)."""
        return self.spacing[2], self.spacing[1], self.spacing[0]

    def index_to_physical(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Turn (..., 3) voxel indices (i, j, k) into positions (..., 3) in mm."""
        moved = np.asarray(index, dtype=float) @ self._steps().T
        return np.add(moved, self.origin)

    def physical_to_index(self, place: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Turn positions (..., 3) in mm into voxel indices (..., 3), not rounded."""
        index: npt.NDArray[np.float64] = np.subtract(place, self.origin) @ np.linalg.inv(self._steps()).T
        return index

    def corner_voxels(self) -> npt.NDArray[np.int64]:
        """The indices (8, 3) of the outermost voxels."""
        return np.array(list(itertools.product(*((0, n - 1) for n in self.size))))

    def corners(self) -> npt.NDArray[np.float64]:
        """The eight outer corners (8, 3) of the box of voxels, half a voxel beyond the outermost centers."""
        ends = [(-0.5, n - 0.5) for n in self.size]
        return self.index_to_physical(list(itertools.product(*ends)))

    def matches(self, other: Geometry) -> bool:
        """Whether every voxel of the two grids lies at the same place, within a thousandth of a voxel."""
        if self.size != other.size:
            return False
        apart = float(np.abs(self.corners() - other.corners()).max())
        return apart <= GRID_TOLERANCE_VOXELS * min(*self.spacing, *other.spacing)

    def overlaps(self, other: Geometry) -> bool:
        """Whether the two boxes share space; boxes that only touch do not.

        Two boxes are apart exactly if their shadows are apart on a face normal of either box or on a cross
        product of two edges (separating axis theorem).
        """
        edges = [*self._axes(), *other._axes()]
        crossed = [np.cross(a, b) for a in edges[:3] for b in edges[3:]]
        tolerance = GRID_TOLERANCE_VOXELS * min(*self.spacing, *other.spacing)
        for axis in (*edges, *(c / np.linalg.norm(c) for c in crossed if np.linalg.norm(c) > 1e-6)):
            mine, theirs = self.corners() @ axis, other.corners() @ axis
            if min(mine.max(), theirs.max()) - max(mine.min(), theirs.min()) <= tolerance:
                return False
        return True

    def describe(self) -> str:
        """One line for messages: size, spacing, position and orientation."""
        size = " x ".join(str(n) for n in self.size)
        spacing = " x ".join(f"{s:.4g}" for s in self.spacing)
        origin = ", ".join(f"{o:.1f}" for o in self.origin)
        axes = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(self.direction)
        oblique = "" if np.isclose(np.abs(self.direction), 1, atol=1e-4).sum() == 3 else ", oblique"
        return f"{size} voxels of {spacing} mm, first voxel at ({origin}) mm, axes {axes}{oblique}"

    def _axes(self) -> npt.NDArray[np.float64]:
        """The unit directions of i, j, k as rows (3, 3)."""
        return np.asarray(self.direction, dtype=float).reshape(3, 3).T

    def _steps(self) -> npt.NDArray[np.float64]:
        """The matrix (3, 3) whose columns lead from a voxel to its next neighbor along i, j, k, in mm."""
        steps: npt.NDArray[np.float64] = self._axes().T * np.asarray(self.spacing)
        return steps


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they are in the patient.

    Args:
        array: (C, K, H, W) for images, (K, H, W) for label maps.

    Raises:
        ValueError: The array does not have the shape of the geometry.
    """

    array: npt.NDArray[Any]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.array.ndim not in (3, 4) or self.array.shape[-3:] != self.geometry.shape:
            raise ValueError(f"array of shape {self.array.shape} on a grid of shape {self.geometry.shape}")

    @classmethod
    def from_sitk(cls, image: sitk.Image) -> Volume:
        """Copy a 3D image: scalars become (K, H, W), vectors (C, K, H, W)."""
        array = sitk.GetArrayFromImage(image)
        if image.GetNumberOfComponentsPerPixel() > 1:
            array = np.ascontiguousarray(np.moveaxis(array, -1, 0))  # (C, K, H, W)
        return cls(array, Geometry.of(image))

    def to_sitk(self) -> sitk.Image:
        """Copy into a SimpleITK image: several channels become a vector image, one channel a scalar image."""
        array = self.array
        if array.ndim == 4:
            array = array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)  # (K, H, W) or (K, H, W, C)
        image = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=array.ndim == 4)
        image.SetSpacing(self.geometry.spacing)
        image.SetOrigin(self.geometry.origin)
        image.SetDirection(self.geometry.direction)
        return image


def _triple(values: Sequence[float]) -> Triple:
    a, b, c = values
    return float(a), float(b), float(c)


def _matrix(values: Sequence[float]) -> Matrix:
    a, b, c, d, e, f, g, h, i = (float(v) for v in values)
    return a, b, c, d, e, f, g, h, i
