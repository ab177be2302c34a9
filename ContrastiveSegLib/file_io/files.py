"""Read and write volumes and labels: NIfTI, NRRD, MHA, DICOM series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile, CannotWrite
from ContrastiveSegLib.file_io.dicom import find_series, is_dicom, read_series, series_geometry
from ContrastiveSegLib.file_io.dicom_labels import read_label_series
from ContrastiveSegLib.file_io.label_layers import LabelLayers
from ContrastiveSegLib.file_io.label_meanings import ReadLabels, emptiness, named, numbered
from ContrastiveSegLib.file_io.layered_nrrd import stored_layers
from ContrastiveSegLib.file_io.nifti_header import contradictions, recentered, scaling_step
from ContrastiveSegLib.file_io.opening import check_size, open_header, open_image, refuse_not_finite
from ContrastiveSegLib.file_io.provenance import Mark
from ContrastiveSegLib.file_io.reader import in_reader_process
from ContrastiveSegLib.file_io.saving import save_atomically, suffix_of
from ContrastiveSegLib.file_io.screening import screen
from ContrastiveSegLib.file_io.segmentation_files import (
    describe_segments,
    flatten,
    read_segments,
    refuse_undescribed,
)
from ContrastiveSegLib.file_io.source_files import text_header
from ContrastiveSegLib.file_io.structure_files import label_files, merge_structures, structure_table
from ContrastiveSegLib.file_io.volume_checks import check_dimension, contrast_notes, refuse_sequence
from ContrastiveSegLib.imaging.header_geometry import sound_geometry
from ContrastiveSegLib.imaging.label_array import label_type, values_in
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume

# What Slicer saves of a segmentation that nobody drew in: one voxel, somewhere.
EMPTY_IN_SLICER = (1, 1, 1)
# Of smaller files the header is not read alone before: that takes a tenth of the time of reading them.
MANY_BYTES = 1 << 26


@dataclass(frozen=True)
class ReadImage:
    """An image (C, K, H, W) float32 and what was remarkable about its files."""

    volume: Volume
    notes: tuple[str, ...] = ()


@in_reader_process
def read_image(paths: Sequence[Path], *, last_axis_is_channels: bool = False) -> ReadImage:
    """Read an image whose channels lie in one file each, in one file, or in one DICOM series.

    Args:
        paths: One path per channel, or one multi-channel file. A DICOM series is named by its folder or, when
            the folder holds several series, by any of its files.
        last_axis_is_channels: Whether the fourth axis of a 4D file counts channels (Medical Segmentation
            Decathlon) and not time.

    Raises:
        BadFile: A file cannot be read, or holds no 3D image of finite, varying numbers.
    """
    read = [_read_channels(path, last_axis_is_channels) for path in paths]
    geometry = read[0][0].geometry
    for path, (volume, _) in zip(paths, read, strict=True):
        if not volume.geometry.matches(geometry):
            raise BadFile(
                f"The channels lie on different grids: {paths[0]} has {geometry.describe()}, {path} has "
                f"{volume.geometry.describe()}.",
                "Resample all channels onto one grid (in Slicer: Resample Scalar/Vector/DWI Volume).",
            )
    array = read[0][0].array if len(read) == 1 else np.concatenate([volume.array for volume, _ in read])
    notes = tuple(note for _, of_file in read for note in of_file)
    return ReadImage(Volume(array, geometry), (*notes, *contrast_notes(array, paths)))


@in_reader_process
def read_geometry(paths: Sequence[Path], *, last_axis_is_channels: bool = False) -> Geometry:
    """The grid of an image, from the header of its first file alone.

    Raises:
        BadFile: The header cannot be read, or is not that of a 3D image.
    """
    path = paths[0]
    if _is_series(path):
        return sound_geometry(path, series_geometry(find_series(path)))[0]
    header = open_header(path)
    check_dimension(path, header.GetSize(), last_axis_is_channels)
    refuse_sequence(path, header)
    return sound_geometry(path, recentered(path, Geometry.of(header)))[0]


def read_labels(
    path: Path,
    table: LabelTable | None = None,
    *,
    scribbles: bool = False,
    ignored: int | None = None,
    image: Sequence[Path] = (),
) -> ReadLabels:
    """Read a label map: an integer volume, a .seg.nrrd with segments, or a folder of structures.

    A segment called "background" is painted background, one called "ignore" says that nothing is known there;
    both are no structures. In a folder each file holds one.

    Args:
        table: The structures to expect. Named segments get the values of this table, matched by name; integer
            volumes must use its values. Without it, the file's own names and values are kept.
        scribbles: In an integer volume the commonest value means: not painted, as 4 does in the scribbles of
            ACDC; where that is not 0, 0 is painted background.
        ignored: The value of an integer volume that says nothing.
        image: What the labels were drawn on, as for `read_image`; DICOM contours have no grid of their own.

    Raises:
        BadFile: A file cannot be read, holds no whole numbers, or structures that the table lacks.
    """
    if path.is_dir():
        return read_structures(label_files(path), table)
    if is_dicom(path):
        return read_dicom_labels(path, table, image)
    return read_label_file(path, table, scribbles=scribbles, ignored=ignored)


@in_reader_process
def read_structures(paths: Sequence[Path], table: LabelTable | None) -> ReadLabels:
    """As `read_labels`, of files that hold one structure each and are called after it."""
    seen: dict[str, None] = {}

    def masks() -> Iterator[tuple[str, Volume]]:
        for path in paths:
            _, layers, geometry, notes = open_labels(path)
            array, rounded = layers.only()
            seen.update(dict.fromkeys((*notes, *rounded)))
            yield path.name, Volume(array, geometry)

    own, (volume, notes) = structure_table(paths), merge_structures(paths[0].parent, masks())
    return named(volume, own, table, paths[0].parent, (*seen, *notes))


@in_reader_process
def read_dicom_labels(path: Path, table: LabelTable | None, image: Sequence[Path]) -> ReadLabels:
    """As `read_labels`, of a DICOM segmentation or of contours."""
    volume, own, notes = read_label_series(path, image)
    read = named(volume, own, table, path, notes)
    return replace(read, notes=(*read.notes, *emptiness(path, read)))


def open_labels(path: Path) -> tuple[sitk.Image, LabelLayers, Geometry, tuple[str, ...]]:
    """What answers for the header of a file of labels, the layers, their grid, and notes.

    Raises:
        BadFile: It cannot be read, or its layers mean nothing.
    """
    check_size(path)
    stored = stored_layers(path)
    if stored is not None or screen(path).declared.bytes > MANY_BYTES:
        header = open_header(path)
        refuse_undescribed(header, path)  # before all layers are read
    # A reader that has read the header answers the same questions.
    opened = open_image(path) if stored is None else cast("sitk.Image", header)
    check_dimension(path, opened.GetSize(), last_axis_is_channels=False)
    geometry, notes = sound_geometry(path, recentered(path, Geometry.of(opened)))
    if stored is None:
        layers = LabelLayers.of_image(opened, geometry.shape, path, scaling_step(path))
    else:
        layers = LabelLayers(stored.slabs, stored.shape[-1], geometry.shape, path)
    return opened, layers, geometry, (*_doubts(path, geometry), *notes)


@in_reader_process
def read_label_file(
    path: Path, table: LabelTable | None, *, scribbles: bool, ignored: int | None
) -> ReadLabels:
    """As `read_labels`, of one file."""
    header, layers, geometry, header_notes = open_labels(path)
    segments, segment_notes = read_segments(header, path, layers.count)
    notes = (*header_notes, *segment_notes)
    if segments:
        array, flat_notes = flatten(layers, segments, path)
        own = LabelTable(tuple(s.structure for s in segments))
        read = named(Volume(array, geometry), own, table, path, (*notes, *flat_notes))
    else:
        array, rounded = layers.only()
        read = numbered(Volume(array, geometry), table, path, scribbles=scribbles, ignored=ignored)
        read = replace(read, notes=(*notes, *rounded))
    read = replace(read, nothing_drawn=geometry.size == EMPTY_IN_SLICER and layers.are_empty)
    return replace(read, notes=(*read.notes, *emptiness(path, read)))


def write_labels(
    path: Path, volume: Volume, table: LabelTable, *, overwrite: bool = False, mark: Mark | None = None
) -> None:
    """Write a label map (K, H, W) as .seg.nrrd, .nrrd, .nii.gz, .nii or .mha.

    Names, colors and terminology are kept by .seg.nrrd and .nrrd alone.

    Args:
        mark: Of a result, so that nobody takes it for an annotation.

    Raises:
        CannotWrite: The file exists, the folder refuses, the disk is full, or a value is not in the table.
    """
    largest = int(volume.array.max(initial=0))
    array = volume.array.astype(label_type(largest))
    unknown = sorted(set(values_in(array)) - set(table.values))
    if unknown:
        raise CannotWrite(
            f"{path} would hold label values that its table lacks: {', '.join(map(str, unknown))}.",
            "Add these structures to the label table.",
        )
    image = Volume(array.astype(np.uint8) if largest <= 255 else array, volume.geometry).to_sitk()
    if suffix_of(path).endswith(".nrrd"):
        describe_segments(image, table)
    save_atomically(image, path, overwrite=overwrite, mark=mark)


def write_image(path: Path, volume: Volume, *, overwrite: bool = False, mark: Mark | None = None) -> None:
    """Write an image (K, H, W) or (C, K, H, W) as .nrrd, .nii.gz, .nii or .mha.

    Args:
        mark: Of a result, so that nobody takes it for an image.

    Raises:
        CannotWrite: The file exists, the folder refuses, or the disk is full.
    """
    save_atomically(volume.to_sitk(), path, overwrite=overwrite, mark=mark)


def _read_channels(path: Path, last_axis_is_channels: bool) -> tuple[Volume, tuple[str, ...]]:
    """Read one file or series as (C, K, H, W) float32."""
    image, notes = read_series(find_series(path)) if _is_series(path) else (open_image(path), ())
    check_dimension(path, image.GetSize(), last_axis_is_channels)
    refuse_sequence(path, image)
    geometry, header_notes = sound_geometry(path, recentered(path, Geometry.of(image)))
    array = _channels(image, geometry)
    if np.iscomplexobj(array):
        raise BadFile(f"{path} holds complex numbers.", "Export the magnitude image.")
    with np.errstate(over="ignore"):  # what does not fit into float32 becomes infinite and is reported below
        array = np.ascontiguousarray(array, np.float32)
    refuse_not_finite(path, array.size - int(np.count_nonzero(np.isfinite(array))))
    return Volume(array, geometry), (*notes, *_doubts(path, geometry), *header_notes)


def _doubts(path: Path, geometry: Geometry) -> tuple[str, ...]:
    """Notes on what a header says twice and differently, or leaves out."""
    header = text_header(path)
    is_silent = header is not None and not header.has_voxel_sizes()
    silent = (
        f"{path.name}: the header does not say how large a voxel is. 1 mm is assumed; if that is wrong, "
        f"every distance and volume in mm is wrong."
    )
    return (*contradictions(path, geometry), *((silent,) if is_silent else ()))


def _channels(image: sitk.Image, geometry: Geometry) -> npt.NDArray[Any]:
    """The voxels as (C, K, H, W): channels are the numbers of a voxel, or a fourth axis."""
    array: npt.NDArray[Any] = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        array = np.moveaxis(array, -1, 0)
    return array.reshape(-1, *geometry.shape)


def _is_series(path: Path) -> bool:
    return path.is_dir() or is_dicom(path)
