"""Whether slices make up one volume: parallel, each at its own place, evenly spaced, stacked straight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile

Floats = npt.NDArray[np.float64]

# Scanners round positions; a slice that is off by a twentieth of the spacing is really elsewhere.
GAP_TOLERANCE = 0.05
# Some slices may be missing in one place; what is farther apart was taken as two stacks.
STACKS_APART = 5.0
# Two slices farther apart than that many times what the header says are no neighbors.
PAIR_APART = 1.5
# Slices that are closer than this share of their mean distance lie at one place.
SAME_PLACE = 0.01
# Directions are unit vectors; more than that is another plane.
SAME_PLANE = 0.01


def slice_offsets(path: Path, positions: Floats, planes: Floats, *, stacks: int = 1) -> Floats:
    """Where each slice lies along the slice normal, in mm, in the given order.

    Args:
        path: The series or file, for errors.
        positions: (N, 3) of the first voxels.
        planes: (N, 6) directions of rows and columns.
        stacks: How many stacks the header counts; several that follow each other evenly are one volume.

    Raises:
        BadFile: The slices do not make up one volume.
    """
    if not (np.isfinite(positions).all() and np.isfinite(planes).all()):
        raise BadFile(
            f"The slices of {path} have places that are no numbers.",
            "Export the original series from the scanner or PACS.",
        )
    if np.abs(planes - planes[0]).max() > SAME_PLANE:
        raise BadFile(
            f"The slices of the DICOM series in {path} are oriented differently, as in a localizer.",
            "Choose a series of parallel slices.",
        )
    offsets: Floats = (positions - positions[0]) @ np.cross(planes[0, :3], planes[0, 3:])
    along = np.sort(offsets)
    different = 1 + int(np.count_nonzero(np.diff(along) > SAME_PLACE * (along[-1] - along[0]) / len(along)))
    if different < len(offsets):
        raise BadFile(
            f"The DICOM series in {path} has {len(offsets)} slices at {different} positions: it is a "
            f"time series or has several phases.",
            "Export one time point, phase, echo or b-value as a series of its own.",
        )
    _refuse_stacks(path, np.diff(along), STACKS_APART if stacks < 2 else 1 + GAP_TOLERANCE)
    return offsets


def _refuse_stacks(path: Path, gaps: Floats, largest: float) -> None:
    """Refuse slices with a gap that nothing was missing in: read as one volume, all would be displaced.

    Raises:
        BadFile: Where the gap is.
    """
    if gaps.size == 0 or gaps.max() <= largest * float(np.median(gaps)):
        return
    before = int(np.argmax(gaps)) + 1
    raise BadFile(
        f"The DICOM series in {path} has several stacks: {before} slices, a gap of {gaps.max():.4g} mm, and "
        f"{len(gaps) + 1 - before} more, where others are {np.median(gaps):.4g} mm apart.",
        "Export each stack as a series of its own.",
    )


def place_notes(
    path: Path, positions: Floats, planes: Floats, offsets: Floats, *, thickness: float = 0.0
) -> tuple[str, ...]:
    """Notes on slices that are not evenly spaced or stacked askew; sorted by place.

    Args:
        thickness: Of a slice with the gap to the next, as the header gives it, in mm; 0 if it does not.
    """
    if len(offsets) < 2:
        return ()
    normal = np.cross(planes[0, :3], planes[0, 3:])
    sideways = (positions[-1] - positions[0]) - (offsets[-1] - offsets[0]) * normal
    return (
        *_gap_notes(path.name, offsets),
        *_pair_notes(path.name, offsets, thickness),
        *_tilt_notes(path.name, offsets, float(np.linalg.norm(sideways))),
    )


def _gap_notes(name: str, offsets: Floats) -> tuple[str, ...]:
    gaps = np.abs(np.diff(offsets))
    usual = float(np.median(gaps))
    if np.abs(gaps - usual).max() <= GAP_TOLERANCE * usual:
        return ()
    even = np.linspace(offsets[0], offsets[-1], len(offsets))
    return (
        f"{name}: the slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart (a slice may be "
        f"missing); they are read as if all were {gaps.mean():.4g} mm apart, so some lie up to "
        f"{np.abs(even - offsets).max():.2g} mm from where they were taken.",
    )


def _pair_notes(name: str, offsets: Floats, thickness: float) -> tuple[str, ...]:
    """Of two slices the distance says nothing of what lies between; the header may."""
    distance = float(np.ptp(offsets))
    if len(offsets) != 2 or not 0 < PAIR_APART * thickness < distance:
        return ()
    return (
        f"{name}: its two slices are {distance:.4g} mm apart, but the header says {thickness:.4g} mm: slices "
        f"between them may be missing; they are read as neighbors.",
    )


def _tilt_notes(name: str, offsets: Floats, drift: float) -> tuple[str, ...]:
    usual = float(np.median(np.abs(np.diff(offsets))))
    if drift <= GAP_TOLERANCE * usual * len(offsets):
        return ()
    return (
        f"{name}: the slices are stacked askew (tilted gantry), {drift:.1f} mm from the first "
        f"to the last; they are read as if they were stacked straight. To move each "
        f"slice to where it was taken: `python -m ContrastiveSegLib straighten FOLDER --output NEW_FOLDER`.",
    )
