"""Labels in DICOM: filled segments, or contours on the slices of an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom import (
    find_series,
    frame_of_reference,
    instances,
    is_dicom,
    series_geometry,
    slice_places,
)
from ContrastiveSegLib.file_io.dicom_contours import contour_table, read_contours
from ContrastiveSegLib.file_io.dicom_elements import CONTOURS, drawn_on
from ContrastiveSegLib.file_io.dicom_segmentation import read_segmentation, segment_table
from ContrastiveSegLib.imaging.gantry_tilt import is_tilted
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume


def label_table(path: Path) -> LabelTable:
    """The structures that a file names, without what was drawn: that takes no further package.

    Raises:
        BadFile: The file is damaged.
    """
    return contour_table(path) if drawn_on(path).modality == CONTOURS else segment_table(path)


def read_label_series(path: Path, image: Sequence[Path]) -> tuple[Volume, LabelTable, tuple[str, ...]]:
    """A label map (K, H, W), its structures, and notes.

    Args:
        image: The series that the labels were drawn on; () if nobody knows.

    Raises:
        BadFile: The file cannot be used, a package is missing, or contours come without their image.
    """
    is_series = bool(image) and (image[0].is_dir() or is_dicom(image[0]))
    series = find_series(image[0]) if is_series else None
    grid = series_geometry(series) if series else None
    if drawn_on(path).modality != CONTOURS:
        askew = instances(series) if series and is_tilted(slice_places(series)) else ()
        return read_segmentation(path, grid, askew)
    if series is None or grid is None:
        raise BadFile(
            f"{path} holds contours, which need the image they were drawn on.",
            "Put both into one folder, or save the contours as .seg.nrrd in 3D Slicer.",
        )
    return read_contours(path, grid, frame_of_reference(series), slice_places(series))
