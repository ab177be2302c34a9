"""RTSTRUCT: contours of radiotherapy, filled in the slices of the series they were drawn on.

Source: DICOM PS3.3, C.8.8.5 (structure sets) and C.8.8.6 (contours).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.contour_pixels import Mask, Points, on_centers, pixels_within
from ContrastiveSegLib.file_io.dicom_segmentation import EXPORT_AGAIN, ODD, unique_names
from ContrastiveSegLib.file_io.parsed_dicom import parse
from ContrastiveSegLib.file_io.structure_files import merge_structures
from ContrastiveSegLib.imaging.colors import Color, colors_for
from ContrastiveSegLib.imaging.gantry_tilt import in_slices
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume

CLOSED, POINT = "CLOSED_PLANAR", "POINT"
SAME_PLANE = 0.02  # slices: contours of one plane are written with rounded places
FLAT = 0.5  # slices that a contour may span
REACH = 0.501  # slices between a contour and the slice that it fills


@dataclass(frozen=True)
class _Region:
    """One region of the file.

    Args:
        contours: Points (N, 3) in mm, LPS.
        unused: How many contours more there are, and why they fill nothing.
    """

    name: str
    color: Color | None
    contours: tuple[Points, ...]
    unused: int
    why: str


def read_contours(
    path: Path, image: Geometry, frame_of_reference: str = "", slices: Points | None = None
) -> tuple[Volume, LabelTable, tuple[str, ...]]:
    """The regions of a file as one label map (K, H, W) on the grid of the image they were drawn on.

    A voxel belongs to a region if its center lies inside an odd number of the region's contours in its slice,
    or on one: programs that draw around voxels put the points into the centers of the outermost ones.
    Each slice takes the contours of the nearest plane, if that lies within half a slice.

    Args:
        frame_of_reference: The UID of the space that the image lies in; contours in another one fill nothing.
        slices: (N, 3) where the slices lie on that grid, as for `in_slices`; None if it is straight and even.

    Raises:
        BadFile: The file is damaged, or no contour lies in the image.
    """
    regions = _read_regions(path, frame_of_reference)
    table, filled = _table(regions), [_filled(region, image, slices) for region in regions]
    if not any(found.slices for found in filled):
        raise BadFile(
            f"No contour of {path} lies in the slices of its image.",
            "Check that both belong together. " + EXPORT_AGAIN,
        )
    masks = zip(table.names, (Volume(found.mask(image.shape), image) for found in filled), strict=True)
    volume, shared = merge_structures(path, masks)
    return volume, table, (*_losses(path, regions, filled), *shared)


def contour_table(path: Path) -> LabelTable:
    """The regions that have contours, with the values that `read_contours` gives them.

    Raises:
        BadFile: The file is damaged.
    """
    return _table(_read_regions(path, ""))


def _read_regions(path: Path, frame_of_reference: str) -> list[_Region]:
    try:
        return _regions(parse(path), frame_of_reference)
    except ODD as error:
        raise BadFile(f"{path} cannot be read as a set of contours ({error}).", EXPORT_AGAIN) from error


def _losses(path: Path, regions: list[_Region], filled: list[_Filled]) -> list[str]:
    """Say how many contours fill nothing, and why."""
    notes = []
    for region, found in zip(regions, filled, strict=True):
        reasons = {"outside of the image or across its slices": found.lost, region.why: region.unused}
        count = len(region.contours) + region.unused
        notes += [
            f"{path.name}: {lost} of {count} contours of '{region.name}' fill nothing: they are {why}."
            for why, lost in reasons.items()
            if lost
        ]
    return notes


def _regions(found: Any, frame_of_reference: str) -> list[_Region]:
    """In the order of their numbers; those without a contour, and mere points, are none."""
    drawn: dict[int, Any] = {int(one.ReferencedROINumber): one for one in found.ROIContourSequence}
    regions = []
    for one in sorted(found.StructureSetROISequence, key=lambda roi: int(roi.ROINumber)):
        item = drawn.get(int(one.ROINumber))
        contours = list(getattr(item, "ContourSequence", None) or ())
        contours = [c for c in contours if c.ContourGeometricType != POINT]
        frame = str(one.get("ReferencedFrameOfReferenceUID") or frame_of_reference)
        is_here = not frame_of_reference or frame == frame_of_reference
        closed = [c for c in contours if is_here and c.ContourGeometricType == CLOSED]
        if contours:
            points = tuple(np.array(c.ContourData, dtype=float).reshape(-1, 3) for c in closed)
            why = "open" if is_here else "drawn in another frame of reference than the image"
            unused = len(contours) - len(closed)
            regions.append(_Region(str(one.ROIName), _color(item), points, unused, why))
    return regions


def _table(regions: list[_Region]) -> LabelTable:
    names = unique_names([region.name for region in regions])
    usual = colors_for([(name, "") for name in names])
    colors = [region.color or color for region, color in zip(regions, usual, strict=True)]
    numbered = enumerate(zip(names, colors, strict=True), start=1)
    return LabelTable(tuple(Structure(value, *facts) for value, facts in numbered))


def _color(item: Any) -> Color | None:
    parts = getattr(item, "ROIDisplayColor", None)
    if not parts or len(parts) != 3:
        return None
    red, green, blue = (min(max(float(part) / 255, 0.0), 1.0) for part in parts)
    return red, green, blue


@dataclass(frozen=True)
class _Filled:
    """The contours of a region, sorted into slices.

    Args:
        slices: Number of the slice to contours (N, 2) in pixels (row, column).
        lost: Contours that fill nothing.
    """

    slices: dict[int, list[Points]]
    lost: int

    def mask(self, shape: tuple[int, int, int]) -> Mask:
        mask, on_contours = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        for k, contours in self.slices.items():
            for contour in contours:
                place, inside, on_contour = pixels_within(contour, shape[1:])
                mask[k][place] ^= inside
                on_contours[k][place] |= on_contour
        return mask | on_contours


def _filled(region: _Region, image: Geometry, slices: Points | None) -> _Filled:
    planes: dict[float, list[Points]] = defaultdict(list)
    lost = 0
    for contour in region.contours:
        places = image.physical_to_index(contour)
        places = on_centers(places if slices is None else in_slices(places, slices))
        depth = places[:, 2]
        if not len(depth) or np.ptp(depth) > FLAT or not _reaches(places, image):
            lost += 1
        else:
            at = float(depth.mean())
            same = next((plane for plane in planes if abs(plane - at) < SAME_PLANE), at)
            planes[same].append(places[:, 1::-1])
    return _Filled(dict(_nearest(planes, image.size[2])), lost)


def _reaches(places: Points, image: Geometry) -> bool:
    """Whether a contour (N, 3), in voxels, may hold the center of one."""
    low, high = places.min(0), places.max(0)
    sizes = np.array(image.size)
    inside = (high[:2] >= 0) & (low[:2] <= sizes[:2] - 1)
    return bool(inside.all() and -REACH <= places[:, 2].mean() <= sizes[2] - 1 + REACH)


def _nearest(planes: dict[float, list[Points]], count: int) -> Iterator[tuple[int, list[Points]]]:
    """For each slice the contours of the plane next to it, if that lies within half a slice."""
    for k in range(count):
        if planes:
            plane = min(planes, key=lambda at: abs(at - k))
            if abs(plane - k) <= REACH:
                yield k, planes[plane]
