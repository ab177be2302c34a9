"""The working grid, derived from the data: the plane of the slices, how fine, how large a patch."""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.volume import Geometry

PLANES = ("sagittal", "coronal", "axial")  # normal to L, P, S: the order of the axes in LPS

# A case is cut along its own coarsest axis if that is clearly the coarsest: oblique short-axis stacks have
# no anatomical plane in common. Nearly isotropic cases are all cut in the plane of the majority.
CLEARLY_COARSER = 1.5

SIDE_MULTIPLE = 16  # four poolings
SMALLEST_SIDE = 32
# Of patches chosen from the data, by what computes: a CPU needs four times as long for twice the side.
LARGEST_SIDES = {"cpu": 128, "gpu": 256}
# Beyond, a number is damaged. Images of microns and of meters lie well inside, whatever their header says.
LARGEST_PATCH = 2**28  # voxels
SPACINGS = (1e-9, 1e6)


@dataclass(frozen=True)
class WorkingGrid:
    """How every case is resampled before it meets a network.

    Args:
        plane: Plane of the slices for cases without a clearly coarsest axis: sagittal, coronal or axial.
        spacing: In plane, in mm.
        slice_spacing: Between slices, in mm; 0 keeps each case's own.
        patch: What the network sees: (H, W) for slices, (K, H, W) for volumes.

    Raises:
        BadSetting: No volume can be brought to such a grid.
    """

    plane: str
    spacing: float
    slice_spacing: float
    patch: tuple[int, ...]

    def __post_init__(self) -> None:
        voxels = math.prod(self.patch) if len(self.patch) in (2, 3) and min(self.patch) >= 1 else 0
        sound = {
            "plane": self.plane in PLANES,
            "spacing": SPACINGS[0] <= self.spacing <= SPACINGS[1],
            "slice_spacing": self.slice_spacing == 0 or SPACINGS[0] <= self.slice_spacing <= SPACINGS[1],
            "patch": 1 <= voxels <= LARGEST_PATCH,
        }
        if wrong := [name for name, is_sound in sound.items() if not is_sound]:
            raise BadSetting(
                f"A working grid with {wrong[0]} {getattr(self, wrong[0])!r} cannot be.",
                f"Planes are {', '.join(PLANES)}; spacings are positive, in mm; a patch has 2 or 3 sizes.",
            )

    def describe(self) -> str:
        """Patch and spacing in words."""
        between = f" and {self.slice_spacing:g} mm between slices" if self.slice_spacing else ""
        return f"patches of {' x '.join(map(str, self.patch))} at {self.spacing:g} mm{between}"


def derive_grid(
    geometries: Sequence[Geometry],
    *,
    spatial_dims: int = 2,
    spacing: float | None = None,
    patch: Sequence[int] | None = None,
    plane: str = "auto",
    largest_side: int = LARGEST_SIDES["gpu"],
) -> WorkingGrid:
    """Choose plane, spacing and patch as the medians of the data ask; what is given stays as given.

    Args:
        geometries: One per case, at least one.
        largest_side: Upper limit of the derived patch's sides in plane, one of LARGEST_SIDES; plane, spacing
            and so the number of slices do not depend on it.

    Raises:
        BadSetting: The patch does not have one size per axis, or a side is no multiple of 16.
    """
    plane = _majority_plane(geometries) if plane == "auto" else plane
    axes = [slicing_axes(geometry, plane) for geometry in geometries]
    # (N, 3) each, in the order i, j, k
    spacings = np.array([_spacing_along(g, a) for g, a in zip(geometries, axes, strict=True)])
    sizes = np.array([[g.size[abs(n) - 1] for n in a] for g, a in zip(geometries, axes, strict=True)])
    in_plane = spacing or _rounded(np.median(spacings[:, :2]))
    between = _rounded(np.median(spacings[:, 2])) if spatial_dims == 3 else 0.0
    working = np.median(sizes * spacings, axis=0) / (in_plane, in_plane, between or 1.0)
    if patch is None:
        patch = _patch_for(working[::-1], spatial_dims, largest_side)
    return WorkingGrid(plane, in_plane, between, _checked(tuple(patch), spatial_dims))


def working_geometry(geometry: Geometry, grid: WorkingGrid) -> Geometry:
    """Where a case's working voxels lie: axes along +L, +P, +S as nearly as possible, slices along k.

    The field of view keeps its center and loses nothing at its border.
    """
    axes = slicing_axes(geometry, grid.plane)
    directions = np.array(geometry.direction).reshape(3, 3).T  # rows: i, j, k
    new_directions = np.array([math.copysign(1, n) * directions[abs(n) - 1] for n in axes])
    old_size = np.array([geometry.size[abs(n) - 1] for n in axes])
    old_spacing = _spacing_along(geometry, axes)
    wanted = np.array([grid.spacing, grid.spacing, grid.slice_spacing or old_spacing[2]])
    spacing = np.where(np.abs(wanted / old_spacing - 1) < 1e-3, old_spacing, wanted)
    size = np.maximum(1, np.ceil(old_size * old_spacing / spacing - 1e-2)).astype(int)
    center = geometry.index_to_physical((np.array(geometry.size) - 1) / 2)
    origin = center - new_directions.T @ (spacing * (size - 1) / 2)
    return Geometry.from_lists(
        [int(n) for n in size],
        [float(s) for s in spacing],
        [float(o) for o in origin],
        [float(d) for d in new_directions.T.ravel()],
    )


def count_slices(geometries: Iterable[Geometry], grid: WorkingGrid) -> int:
    """The slices of all these cases together on the working grid: one pass over the data."""
    return sum(_slices_of(geometry, grid) for geometry in geometries)


@functools.lru_cache(maxsize=4096)
def _slices_of(geometry: Geometry, grid: WorkingGrid) -> int:
    """Kept, because the panel counts anew whenever something changes."""
    return working_geometry(geometry, grid).shape[0]


def slicing_axes(geometry: Geometry, plane: str) -> tuple[int, int, int]:
    """Which original axis becomes i, j and k: 1, 2 or 3, negative if it is turned around."""
    along_lps = _axes_along_lps(geometry)
    spacing = _spacing_along(geometry, along_lps)
    coarse, second = sorted(spacing, reverse=True)[:2]
    k = int(np.argmax(spacing)) if coarse >= CLEARLY_COARSER * second else PLANES.index(plane)
    i, j = (axis for axis in range(3) if axis != k)
    return along_lps[i], along_lps[j], along_lps[k]


def slice_axis(geometry: Geometry, plane: str) -> int:
    """Across which axis of the image its slices are counted: 0, 1 or 2 for i, j or k."""
    return abs(slicing_axes(geometry, plane)[2]) - 1


def _axes_along_lps(geometry: Geometry) -> tuple[int, int, int]:
    """The original axes that run along +L, +P and +S as nearly as possible: 1, 2 or 3, with a sign."""
    matrix = np.array(geometry.direction).reshape(3, 3)  # columns: i, j, k
    orders = itertools.permutations(range(3))
    best = max(orders, key=lambda order: sum(abs(matrix[row, axis]) for row, axis in enumerate(order)))
    a, b, c = (int(math.copysign(1, matrix[row, axis])) * (axis + 1) for row, axis in enumerate(best))
    return a, b, c


def _spacing_along(geometry: Geometry, axes: Sequence[int]) -> npt.NDArray[np.float64]:
    return np.array([geometry.spacing[abs(n) - 1] for n in axes])


def _majority_plane(geometries: Sequence[Geometry]) -> str:
    """The plane in which most cases with a clearly coarsest axis are cut; axial if there are none."""
    votes: Counter[str] = Counter()
    for geometry in geometries:
        spacing = _spacing_along(geometry, _axes_along_lps(geometry))
        coarse, second = sorted(spacing, reverse=True)[:2]
        if coarse >= CLEARLY_COARSER * second:
            votes[PLANES[int(np.argmax(spacing))]] += 1
    return votes.most_common(1)[0][0] if votes else "axial"


def _patch_for(median_khw: npt.NDArray[np.float64], spatial_dims: int, largest_side: int) -> tuple[int, ...]:
    """The median field of view, rounded to what can be pooled, at most `largest_side` in plane."""
    height, width = (_pooled_side(n, largest_side) for n in median_khw[1:])
    if spatial_dims == 2:
        return height, width
    slices = max(1, round(float(median_khw[0])))
    if slices >= 8:
        slices = min(slices // 8 * 8, max(8, largest_side // 4))
    # A volume costs as much as its slices together: halve the plane rather than the height.
    side = max(SMALLEST_SIDE, largest_side // 2)
    return slices, min(height, side), min(width, side)


def _rounded(spacing: float | np.floating[Any]) -> float:
    """Five digits, whatever the unit: some images have voxels of microns, some of meters."""
    return float(f"{spacing:.5g}")


def _pooled_side(extent: float, largest: int) -> int:
    side = math.ceil(min(extent, largest) / SIDE_MULTIPLE) * SIDE_MULTIPLE
    return max(SMALLEST_SIDE, min(side, largest))


def _checked(patch: tuple[int, ...], spatial_dims: int) -> tuple[int, ...]:
    if len(patch) != spatial_dims:
        raise BadSetting(
            f"{' x '.join(map(str, patch))} as patch has {len(patch)} sizes, "
            f"but spatial_dims is {spatial_dims}.",
            f"Give {'height and width' if spatial_dims == 2 else 'slices, height and width'}.",
        )
    if any(n % SIDE_MULTIPLE for n in patch[-2:]) or min(patch) < 1:
        raise BadSetting(
            f"The patch is {' x '.join(map(str, patch))}, but height and width must be multiples of "
            f"{SIDE_MULTIPLE}.",
            f"Try {' x '.join(str(_pooled_side(n, 4096)) for n in patch[-2:])} in plane.",
        )
    return patch
