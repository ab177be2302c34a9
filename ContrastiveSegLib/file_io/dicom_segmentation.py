"""DICOM SEG: segmentations as hospitals keep them, read with highdicom where it is installed.

Source: DICOM PS3.3, C.8.20 (segmentation); names of structures as 3D Slicer writes them into its own files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_sizes import SAME_SPACING
from ContrastiveSegLib.file_io.parsed_dicom import parse
from ContrastiveSegLib.file_io.structure_files import merge_structures
from ContrastiveSegLib.imaging.case_errors import one_line
from ContrastiveSegLib.imaging.colors import Color, colors_for
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume

INSTALL = (
    "Install the package that reads it: pip install 'contrastiveseg[dicom]', or in the Python console of 3D "
    "Slicer: slicer.util.pip_install('highdicom')."
)
EXPORT_AGAIN = "Export it again, or save it as .seg.nrrd in 3D Slicer."
CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
ANATOMY = "Anatomic codes - DICOM master list"
FITS = {"allow_missing_positions": True, "allow_duplicate_positions": True}
# What highdicom and pydicom raise where a file is damaged, or holds what they do not know.
ODD = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, OSError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip


def read_segmentation(
    path: Path, image: Geometry | None = None, instances: Sequence[str] = ()
) -> tuple[Volume, LabelTable, tuple[str, ...]]:
    """The segments of a file as one label map (K, H, W), their names and colors, and notes on overlaps.

    Args:
        image: The grid that they were drawn on, if it is known: a file may leave out the slices without
            segments, and not say how far apart slices are.
        instances: The UIDs of its slices, if they are stacked askew, so that no grid says where they lie.

    Raises:
        BadFile: highdicom is not installed, the file is damaged, or holds probabilities.
    """
    try:
        import highdicom
    except ImportError as error:
        raise BadFile(f"{path} is a DICOM segmentation, which needs a further package.", INSTALL) from error
    try:
        found = _opened(highdicom.seg, path, image)
        if str(found.segmentation_type.value) == "FRACTIONAL":
            raise BadFile(f"{path} holds probabilities of structures, and no labels.", EXPORT_AGAIN)
        table = _table([found.get_segment_description(n) for n in found.segment_numbers])
        names = dict(zip(found.segment_numbers, table.names, strict=True))
        volume, notes = merge_structures(path, _masks(found, names, image, instances))
    except ODD as error:
        raise BadFile(f"{path} cannot be read as a DICOM segmentation ({error}).", EXPORT_AGAIN) from error
    return volume, table, notes


def segment_table(path: Path) -> LabelTable:
    """The names of the segments, with the values that `read_segmentation` gives them, and usual colors.

    Raises:
        BadFile: The file is damaged.
    """
    try:
        segments = sorted(parse(path).SegmentSequence, key=lambda segment: int(segment.SegmentNumber))
        names = unique_names([str(segment.SegmentLabel) for segment in segments])
    except ODD as error:
        raise BadFile(f"{path} cannot be read as a DICOM segmentation ({error}).", EXPORT_AGAIN) from error
    colored = zip(names, colors_for([(name, "") for name in names]), strict=True)
    return LabelTable(tuple(Structure(value, *facts) for value, facts in enumerate(colored, start=1)))


def _opened(seg: Any, path: Path, image: Geometry | None) -> Any:
    """The file, with a distance of slices where it gives none: what is drawn must not grow into gaps."""
    said = parse(path)
    groups = [*said.SharedFunctionalGroupsSequence, *said.PerFrameFunctionalGroupsSequence]
    silent = [
        measures
        for group in groups
        for measures in group.get("PixelMeasuresSequence", ())
        if not measures.get("SpacingBetweenSlices")
    ]
    for measures in silent:
        if distance := _distance((said.Rows, said.Columns), measures, image):
            measures.SpacingBetweenSlices = distance
    found = seg.Segmentation.from_dataset(said, copy=False)
    return found if not silent or found.get_volume_geometry(**FITS) else seg.segread(path)


def _distance(shape: tuple[int, int], measures: Any, image: Geometry | None) -> float:
    """Between slices: that of the image if the pixels are those of the image, else their thickness, or 0."""
    if image is not None and shape == image.shape[1:]:
        spacing = np.array(measures.PixelSpacing, float)
        if np.allclose(spacing, image.spacing[1::-1], rtol=SAME_SPACING, atol=0):
            return image.spacing[2]
    return float(measures.get("SliceThickness") or 0)


def _masks(
    found: Any, names: dict[int, str], image: Geometry | None, instances: Sequence[str]
) -> Iterator[tuple[str, Volume]]:
    """Each segment by itself, because several may overlap."""
    is_drawn_on = (
        bool(instances)
        and image is not None
        and (found.Rows, found.Columns) == image.shape[1:]
        and not _sources(found).isdisjoint(instances)  # where none is known, all would be read as empty
    )
    for number, name in names.items():
        what = {"segment_numbers": [number], "combine_segments": True, "relabel": True, "dtype": np.uint8}
        if image is not None and is_drawn_on:
            slices = found.get_pixels_by_source_instance(
                list(instances), assert_missing_frames_are_empty=True, ignore_spatial_locations=True, **what
            )
            yield name, Volume(np.asarray(slices), image)
        else:
            one = found.get_volume(**what)
            yield name, Volume(np.asarray(one.array), _geometry(one))


def _sources(found: Any) -> set[str]:
    """The UIDs of the slices that the frames say they were drawn on."""
    return {
        str(source.ReferencedSOPInstanceUID)
        for frame in found.PerFrameFunctionalGroupsSequence
        for derived in frame.get("DerivationImageSequence", ())
        for source in derived.get("SourceImageSequence", ())
    }


def _geometry(volume: Any) -> Geometry:
    """The grid of a volume of highdicom, whose axes are slices, rows and columns: k, j, i."""
    k, j, i = volume.spatial_shape
    direction = np.asarray(volume.direction)[:, ::-1]
    return Geometry.from_lists(
        (i, j, k), volume.spacing[::-1], np.asarray(volume.position).tolist(), direction.ravel().tolist()
    )


def _table(descriptions: list[Any]) -> LabelTable:
    """The structures in their order, with values from 1 on."""
    names = unique_names([str(one.segment_label) for one in descriptions])
    terms = [_terminology(one) for one in descriptions]
    usual = colors_for(list(zip(names, terms, strict=True)))
    colors = [_color(one) or color for one, color in zip(descriptions, usual, strict=True)]
    numbered = enumerate(zip(names, colors, terms, strict=True), start=1)
    return LabelTable(tuple(Structure(value, *facts) for value, facts in numbered))


def unique_names(said: list[str]) -> list[str]:
    """Names on one line; one that is empty, or comes twice, gets its number."""
    names: list[str] = []
    for number, text in enumerate(said, start=1):
        name = one_line(text) or f"Segment {number}"
        taken = {other.casefold() for other in names}
        names.append(name if name.casefold() not in taken else f"{name} ({number})")
    return names


def _color(description: Any) -> Color | None:
    lab = getattr(description, "RecommendedDisplayCIELabValue", None)
    if not lab:
        return None
    from highdicom.color import CIELabColor

    red, green, blue = (part / 255 for part in CIELabColor.from_dicom_value(list(lab)).to_rgb(clip=True))
    return red, green, blue


def _terminology(description: Any) -> str:
    """Category and type as in the tags of a .seg.nrrd."""
    codes = (description.segmented_property_category, description.segmented_property_type)
    said = [f"{code.scheme_designator}^{code.value}^{code.meaning}" for code in codes]
    return one_line("~".join([CONTEXT, *said, "^^", ANATOMY, "^^", "^^"]))
