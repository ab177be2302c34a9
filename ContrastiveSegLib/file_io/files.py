"""Read and write volumes and labels: NIfTI, NRRD, MHA, DICOM series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile, CannotWrite
from ContrastiveSegLib.file_io.dicom import find_series, is_dicom, read_series, series_geometry
from ContrastiveSegLib.file_io.label_layers import LabelLayers
from ContrastiveSegLib.file_io.nifti_header import contradictions, recentered, scaling_step
from ContrastiveSegLib.file_io.opening import header_text, open_header, open_image, refuse_not_finite
from ContrastiveSegLib.file_io.provenance import Mark
from ContrastiveSegLib.file_io.reader import apart
from ContrastiveSegLib.file_io.saving import save_atomically, suffix_of
from ContrastiveSegLib.file_io.segmentation_files import describe_segments, flatten, read_segments
from ContrastiveSegLib.file_io.source_files import text_header
from ContrastiveSegLib.imaging.header_geometry import sound_geometry
from ContrastiveSegLib.imaging.label_values import (
    check_values,
    renumber,
    unpainted,
    values_in,
    without_background,
    without_ignored,
)
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume

# What Slicer saves of a segmentation that nobody drew in: one voxel, somewhere.
EMPTY_IN_SLICER = (1, 1, 1)


@dataclass(frozen=True)
class ReadImage:
    """An image (C, K, H, W) float32 and what was remarkable about its files."""

    volume: Volume
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadLabels:
    """A label map (K, H, W) int16, what its values mean, and what was remarkable about its file.

    Args:
        background: Which voxels (K, H, W) were painted as background on purpose; None if none were.
        unknown: Which voxels (K, H, W) are said to be unknown, nnU-Net's label "ignore"; None if none are.
        nothing_drawn: Whether Slicer saved it before anything was drawn; where it lies says nothing then.
    """

    volume: Volume
    table: LabelTable
    notes: tuple[str, ...] = ()
    background: npt.NDArray[np.bool_] | None = None
    unknown: npt.NDArray[np.bool_] | None = None
    nothing_drawn: bool = False


@apart
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
    return ReadImage(Volume(array, geometry), (*notes, *_constant_notes(array, paths)))


@apart
def read_geometry(paths: Sequence[Path], *, last_axis_is_channels: bool = False) -> Geometry:
    """The grid of an image, from the header of its first file alone.

    Raises:
        BadFile: The header cannot be read, or is not that of a 3D image.
    """
    path = paths[0]
    if _is_series(path):
        return sound_geometry(path, series_geometry(find_series(path)))[0]
    header = open_header(path)
    _check_dimension(path, header.GetSize(), last_axis_is_channels)
    _refuse_sequence(path, header)
    return sound_geometry(path, recentered(path, Geometry.of(header)))[0]


@apart
def read_labels(
    path: Path, table: LabelTable | None = None, *, scribbles: bool = False, ignored: int | None = None
) -> ReadLabels:
    """Read a label map: an integer volume, or a .seg.nrrd with its segments.

    A segment called "background" is painted background, not a structure.

    Args:
        table: The structures to expect. Named segments get the values of this table, matched by name; integer
            volumes must use its values. Without it, the file's own names and values are kept.
        scribbles: In an integer volume the commonest value means: not painted, as 4 does in the scribbles of
            ACDC; where that is not 0, 0 is painted background.
        ignored: The value of an integer volume that says nothing.

    Raises:
        BadFile: A file cannot be read, holds no whole numbers, or structures that the table lacks.
    """
    image = open_image(path)
    _check_dimension(path, image.GetSize(), last_axis_is_channels=False)
    geometry, header_notes = sound_geometry(path, recentered(path, Geometry.of(image)))
    layers = LabelLayers(image, geometry.shape, path, scaling_step(path))
    segments, segment_notes = read_segments(image, path)
    notes = (*_doubts(path, geometry), *header_notes, *segment_notes)
    unknown = None
    if segments:
        array, flat_notes = flatten(layers, segments, path)
        array, own, background = without_background(array, tuple(s.structure for s in segments))
        array, own = (array, own) if table is None else (renumber(array, own, table, path), table)
        notes = (*notes, *flat_notes)
    else:
        array, rounded = layers.only()
        notes = (*notes, *rounded)
        array, unknown = without_ignored(array, ignored)
        array, background = unpainted(array) if scribbles else (array, None)
        own = table or LabelTable.default_for(values_in(array))
        check_values(array, own, path)
    nothing_drawn = geometry.size == EMPTY_IN_SLICER and not any(layer.any() for layer in layers)
    if not array.any() and background is None:
        notes = (*notes, _emptiness(path, nothing_drawn))
    return ReadLabels(Volume(array, geometry), own, notes, background, unknown, nothing_drawn)


def _emptiness(path: Path, nothing_drawn: bool) -> str:
    return f"{path.name}: {'nothing is drawn in it' if nothing_drawn else 'all voxels are background'}."


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
    array = volume.array.astype(np.int16)
    unknown = sorted(set(values_in(array)) - set(table.values))
    if unknown:
        raise CannotWrite(
            f"{path} would hold label values that its table lacks: {', '.join(map(str, unknown))}.",
            "Add these structures to the label table.",
        )
    small = array.max(initial=0) <= 255
    image = Volume(array.astype(np.uint8) if small else array, volume.geometry).to_sitk()
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
    _check_dimension(path, image.GetSize(), last_axis_is_channels)
    _refuse_sequence(path, image)
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


def _refuse_sequence(path: Path, image: sitk.Image | sitk.ImageFileReader) -> None:
    """Refuse an axis of time, and what Slicer saved as a sequence: its frames would be read as channels."""
    if any(header_text(image, f"NRRD_kinds[{axis}]") == "time" for axis in range(3)):
        raise BadFile(
            f"{path} has an axis of time: it is a time series, and no volume.",
            "Save each time as a file of its own; if it is a volume, correct 'kinds' in the header.",
        )
    if isinstance(image, sitk.ImageFileReader):
        frames = image.GetNumberOfComponents()
    else:
        frames = image.GetNumberOfComponentsPerPixel()
    is_named = path.name.lower().endswith((".seq.nrrd", ".seq.nhdr"))
    is_list = header_text(image, "NRRD_kinds[pixel]") == "list"
    if frames > 1 and (is_named or (is_list and header_text(image, "NRRD_labels[pixel]") == "frame")):
        raise BadFile(
            f"{path} is a sequence of {frames} volumes: it is a time series or has several phases.",
            "Save each volume as a file of its own (in Slicer: Sequences, then save the proxy node).",
        )


def _is_series(path: Path) -> bool:
    return path.is_dir() or is_dicom(path)


def _check_dimension(path: Path, size: Sequence[int], last_axis_is_channels: bool) -> None:
    """Refuse everything but 3D; axes of length one beyond the third do not count."""
    shown = " x ".join(map(str, size))
    if len(size) < 3:
        raise BadFile(
            f"{path} is a 2D image ({shown}), not a volume.", "Use a volume, or leave this file out."
        )
    beyond = [n for n in size[3:] if n > 1]
    if beyond and not (last_axis_is_channels and len(size) == 4):
        raise BadFile(
            f"{path} has {len(size)} dimensions ({shown}): it is a time series or has several volumes.",
            "Save each volume as a 3D file of its own; channels of one case may be given as separate files.",
        )


def _constant_notes(array: npt.NDArray[np.float32], paths: Sequence[Path]) -> tuple[str, ...]:
    """Note the channels without contrast; an image of nothing else cannot be used."""
    constant = [c for c, channel in enumerate(array) if channel.min() == channel.max()]
    if len(constant) == len(array):
        raise BadFile(
            f"{', '.join(map(str, paths))} is constant: every voxel has the value {array.flat[0]:g}.",
            "Export the image again, or leave this case out.",
        )
    if len(paths) == len(array):
        return tuple(f"{paths[c].name}: this channel is constant." for c in constant)
    return tuple(f"{paths[0].name}: channel {c + 1} of {len(array)} is constant." for c in constant)
