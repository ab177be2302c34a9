"""Phantoms: seeded volumes with labels that look enough like a body to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.volume import Geometry, Triple, Volume
from ContrastiveSegLib.phantoms.anatomy import Array, parts, phantom_table
from ContrastiveSegLib.phantoms.imaging import scan

__all__ = ["make_phantom_case", "phantom_table", "write_phantom_folder"]

Array64 = npt.NDArray[np.float64]
Shape = tuple[int, int, int]
Flips = tuple[bool, bool, bool]

SHAPE: Shape = (24, 112, 112)
FIELD_OF_VIEW_MM = (168.0, 168.0, 96.0)  # along i, j, k

# Rows and columns of half of the scanners run towards right and front; some stacks start at the head.
FLIPS: tuple[Flips, ...] = (
    (False, False, False),
    (False, False, False),
    (True, True, False),
    (False, False, True),
)


def make_phantom_case(
    seed: int,
    *,
    shape: Shape = SHAPE,
    spacing: Triple | None = None,
    tilt_deg: float = 0.0,
    flipped: Flips = (False, False, False),
    channels: int = 1,
) -> tuple[Volume, Volume]:
    """Make one phantom: the trunk of a person with organs that vary in place, size, shape and brightness.

    The person depends on the seed alone: another grid shows the same organs at the same places.

    Args:
        seed: 0 or more.
        shape: Voxels (K, H, W).
        spacing: In mm along i, j, k; None: the grid covers the whole trunk, whatever its shape.
        tilt_deg: By how much the grid is turned against the body, about an axis that the seed decides.
        flipped: Which of i, j, k run against left, posterior, superior.
        channels: Every second channel shows bright tissues dark.

    Returns:
        The image (C, K, H, W) float32, and the labels (K, H, W) int16 with the values of phantom_table().
    """
    middle_draw, body_draw, *scan_draws = (
        np.random.default_rng((seed, purpose)) for purpose in range(2 + channels)
    )
    middle = middle_draw.uniform(-150, 150, 3)
    turn = _turn(middle_draw.normal(size=3), tilt_deg)
    geometry = _grid(middle, turn * np.where(flipped, -1, 1), shape, spacing)
    points = _positions(geometry, middle)
    body = list(parts(points, body_draw))
    labels = np.zeros(shape, np.int16)
    for part in body:
        labels[part.depth > 0] = part.value
    image = [scan(body, points, draw, inverted=c % 2 == 1) for c, draw in enumerate(scan_draws)]
    return Volume(np.stack(image), geometry), Volume(labels, geometry)


@dataclass(frozen=True, kw_only=True)
class PhantomCounts:
    """How many cases a folder of phantoms has: to pre-train on, to fine-tune on, and to predict."""

    unlabeled: int = 16
    labeled: int = 2
    test: int = 4


def write_phantom_folder(
    folder: Path,
    counts: PhantomCounts,
    *,
    seed: int = 0,
    shape: Shape = SHAPE,
    overwrite: bool = False,
) -> None:
    """Write phantoms on grids of different spacing, tilt and orientation, in three folders.

    unlabeled/images; labeled/images and labeled/labels; test/images and test/labels. Images are .nii.gz,
    labels .seg.nrrd with names and colors. A case has one name in images
    and labels, and no name occurs twice.

    Args:
        counts: How many cases.
        seed: 0 or more; the same seed writes the same voxels, and more unlabeled cases leave the others as
            they are.
        shape: Voxels (K, H, W) of the average case.
        overwrite: Whether files that are there may be replaced.

    Raises:
        CannotWrite: A file exists, or the disk refuses.
    """
    parts_of_study = ["labeled"] * counts.labeled + ["test"] * counts.test + ["unlabeled"] * counts.unlabeled
    for number, part in enumerate(parts_of_study, start=1):
        image, labels = _varied_case(np.random.default_rng((seed, number)), shape)
        name = f"phantom_{number:03d}"
        whole_numbers = Volume(image.array.astype(np.int16), image.geometry)  # half the size on disk
        write_image(folder / part / "images" / f"{name}.nii.gz", whole_numbers, overwrite=overwrite)
        if part != "unlabeled":
            path = folder / part / "labels" / f"{name}.seg.nrrd"
            write_labels(path, labels, phantom_table(), overwrite=overwrite)


def _varied_case(draw: np.random.Generator, shape: Shape) -> tuple[Volume, Volume]:
    """One phantom on a grid as protocols differ: up to an eighth finer or coarser, half of them tilted."""
    k, h, w = (max(1, round(n * draw.uniform(0.88, 1.12))) for n in shape)
    width, depth, height = FIELD_OF_VIEW_MM
    margin = draw.uniform(1.0, 1.08)
    return make_phantom_case(
        int(draw.integers(2**31)),
        shape=(k, h, w),
        spacing=(margin * width / w, margin * depth / h, height / k),
        tilt_deg=float(draw.choice([0.0, draw.uniform(3, 12)])),
        flipped=FLIPS[draw.integers(len(FLIPS))],
    )


def _turn(axis: Array64, angle_deg: float) -> Array64:
    """The rotation matrix (3, 3) about an axis (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(angle_deg)
    rotation: Array64 = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation


def _grid(middle: Array64, axes: Array64, shape: Shape, spacing: Triple | None) -> Geometry:
    """The grid with these axes as columns around a middle in mm."""
    i, j, k = size = shape[::-1]
    width, depth, height = FIELD_OF_VIEW_MM
    steps = spacing or (width / i, depth / j, height / k)
    x, y, z = (float(c) for c in middle - axes @ (np.array(steps) * (np.array(size) - 1) / 2))
    a, b, c, d, e, f, g, h, m = (float(cosine) for cosine in axes.flat)
    return Geometry((i, j, k), steps, (x, y, z), (a, b, c, d, e, f, g, h, m))


def _positions(geometry: Geometry, middle: Array64) -> Array:
    """The place of each voxel (3, K, H, W) in mm from the middle of the body."""
    index = np.moveaxis(np.indices(geometry.shape)[::-1], 0, -1)  # (K, H, W, 3) of i, j, k
    points = np.moveaxis(geometry.index_to_physical(index) - middle, -1, 0)
    return np.ascontiguousarray(points, np.float32)
