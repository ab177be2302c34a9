"""Read folders of DICOM files: which series are in them, and each series as one volume."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import is_private_without_image, what_is_there
from ContrastiveSegLib.file_io.dicom_multiframe import (
    Frames,
    frames_geometry,
    read_frames,
    sorted_frames,
)
from ContrastiveSegLib.file_io.dicom_sizes import pixel_notes, thickness_of
from ContrastiveSegLib.file_io.file_names import is_hidden
from ContrastiveSegLib.file_io.opening import header_text, itk_warnings_off, open_header
from ContrastiveSegLib.file_io.reader import in_reader_process
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.imaging.slice_spacing import place_notes, slice_offsets
from ContrastiveSegLib.imaging.volume import Geometry

SERIES_UID = "0020|000e"
SERIES_DESCRIPTION = "0008|103e"
MODALITY = "0008|0060"
PATIENT_ID = "0010|0020"
FRAME_OF_REFERENCE = "0020|0052"
POSITION = "0020|0032"
INSTANCE = "0008|0018"
ORIENTATION = "0020|0037"

# SOP classes: directory, presentation states, raw data, reports, documents, radiotherapy but not its images.
WITHOUT_PIXELS = re.compile(
    rb"1\.2\.840\.10008\.(1\.3\.10|5\.1\.4\.1\.1\.(11|66|9|88|104|481\.[3-9]))(?![0-9])"
)


@dataclass(frozen=True)
class DicomSeries:
    """One series of a folder.

    Args:
        path: What stands for the series wherever a path is asked for: the folder if it holds no other series,
            else the first file of the series.
        files: Its files, sorted along the slice axis.
    """

    path: Path
    files: tuple[Path, ...]
    uid: str
    description: str
    patient: str
    modality: str = ""


def is_dicom(path: Path) -> bool:
    """Whether a file looks like DICOM: by its signature, or by its name if the signature was left out."""
    try:
        if is_hidden(path.name) or not path.is_file() or path.name.upper() == "DICOMDIR":
            return False
        if path.suffix.lower() in (".dcm", ".ima", ".dicom"):
            return True
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        # Whoever opens the file for its voxels says why it cannot be opened.
        return False


@in_reader_process
def list_series(folder: Path) -> tuple[DicomSeries, ...]:
    """The DICOM series whose files lie directly in this folder, apart from those with damaged headers."""
    with itk_warnings_off():
        uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        every = [sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in uids]
    shown = [tuple(name for name in names if not is_hidden(Path(name).name)) for names in every]
    names = [files for files in shown if files]
    found = (attempt(str(folder), _series, folder, files, alone=len(names) == 1)[0] for files in names)
    return tuple(series for series in found if series)


def find_series(path: Path) -> DicomSeries:
    """The series of a folder that holds only one, or the series that a DICOM file belongs to.

    Raises:
        BadFile: No series, several to choose from, or damaged files that may belong to it.
    """
    folder = path if path.is_dir() else path.parent
    found = list_series(folder)
    _refuse_damaged(folder, found)
    if path.is_dir() and len(found) > 1:
        names = "; ".join(f"{s.description or s.uid} ({len(s.files)} files)" for s in found)
        raise BadFile(
            f"The folder {path} holds {len(found)} DICOM series: {names}.",
            f"Choose the first file of one series instead, for example {found[0].path.name}.",
        )
    for series in found:
        if path.is_dir() or path.name in {file.name for file in series.files}:
            return series
    raise BadFile(f"{path} holds no DICOM image.", "Choose a folder with the files of one DICOM series.")


def read_series(series: DicomSeries) -> tuple[sitk.Image, tuple[str, ...]]:
    """Read all slices of a series as one 3D image.

    Returns:
        The image, and notes on slices that are not evenly spaced or a gantry that was tilted.

    Raises:
        BadFile: The files do not make up one volume.
    """
    if len(series.files) == 1:
        return _read_frames(series)
    headers = [open_header(file) for file in series.files]
    positions, planes = _places(series, headers)
    offsets = slice_offsets(series.path, positions, planes)
    places = place_notes(series.path, positions, planes, offsets, thickness=thickness_of(headers[0]))
    return _execute(series), (*pixel_notes(series.path, series.files, headers), *places)


def series_geometry(series: DicomSeries) -> Geometry:
    """The grid that read_series() gives, from the headers alone: of the first and the last slice."""
    first = open_header(series.files[0])
    geometry = Geometry.of(first)
    i, j, frames = geometry.size
    if len(series.files) == 1:
        placed = read_frames(series.files[0]) if frames > 1 else None
        if placed is None:
            return geometry
        order = np.argsort(_frame_offsets(series, placed))
        return frames_geometry(placed, order, (i, j))
    apart = np.linalg.norm(np.subtract(Geometry.of(open_header(series.files[-1])).origin, geometry.origin))
    return Geometry(
        size=(i, j, len(series.files)),
        spacing=(*geometry.spacing[:2], float(apart) / (len(series.files) - 1)),
        origin=geometry.origin,
        direction=geometry.direction,
    )


def slice_places(series: DicomSeries) -> npt.NDArray[np.float64]:
    """Where the first voxel of each slice really lies on the grid of a series: (N, 3) in voxels.

    That is (0, 0, k) unless a slice is missing before it, or the gantry was tilted.
    """
    grid = series_geometry(series)
    if len(series.files) > 1:
        positions, planes = _places(series, [open_header(file) for file in series.files])
        slice_offsets(series.path, positions, planes)  # refuses what is no volume
        return grid.physical_to_index(positions)
    frames = read_frames(series.files[0]) if grid.size[2] > 1 else None
    if frames is None:
        return np.outer(np.arange(grid.size[2]), [0.0, 0.0, 1.0])
    return grid.physical_to_index(frames.positions[np.argsort(_frame_offsets(series, frames))])


def instances(series: DicomSeries) -> tuple[str, ...]:
    """The UIDs of its slices, in their order; () for frames of one file."""
    files = series.files if len(series.files) > 1 else ()
    return tuple(header_text(open_header(file), INSTANCE) for file in files)


def frame_of_reference(series: DicomSeries) -> str:
    """The UID of the space in which positions of a series are counted; "" where it gives none."""
    return header_text(open_header(series.files[0]), FRAME_OF_REFERENCE)


def _read_frames(series: DicomSeries) -> tuple[sitk.Image, tuple[str, ...]]:
    """Read the one file of a series; the frames that it may hold are sorted by place."""
    file = series.files[0]
    header = open_header(file)
    if len(header.GetSize()) < 3 or header.GetSize()[2] < 2:
        return _execute(series), pixel_notes(series.path, series.files, [header])
    frames = read_frames(file)
    if frames is None:
        note = f"{file.name}: its frames have no place; they are read as evenly spaced slices."
        return _execute(series), (note, *pixel_notes(series.path, series.files, [header]))
    # Before the voxels: of frames that make up no volume GDCM only says what it cannot do with them.
    offsets = _frame_offsets(series, frames)
    order = np.argsort(offsets)
    notes = place_notes(
        series.path, frames.positions[order], frames.planes, offsets[order], thickness=frames.thickness
    )
    return sorted_frames(file, _execute(series), frames, order), notes


def _frame_offsets(series: DicomSeries, frames: Frames) -> npt.NDArray[np.float64]:
    return slice_offsets(series.path, frames.positions, frames.planes, stacks=frames.stacks)


def _series(folder: Path, names: tuple[str, ...], *, alone: bool) -> DicomSeries:
    files = tuple(Path(name) for name in names)
    header = open_header(files[0])
    return DicomSeries(
        path=folder if alone else files[0],
        files=files,
        uid=header_text(header, SERIES_UID),
        description=header_text(header, SERIES_DESCRIPTION),
        patient=header_text(header, PATIENT_ID),
        modality=header_text(header, MODALITY),
    )


def _refuse_damaged(folder: Path, found: tuple[DicomSeries, ...]) -> None:
    """GDCM passes over files it cannot read; a slice lost like that would move its neighbors."""
    known = {file.name for series in found for file in series.files}
    unknown = (file for file in folder.iterdir() if file.name not in known and is_dicom(file))
    damaged = sorted(file.name for file in unknown if not is_meant_without_pixels(file))
    if damaged:
        raise BadFile(
            f"The folder {folder} holds {len(damaged)} DICOM files that are damaged or may not be opened: "
            f"{', '.join(damaged[:5])}{' ...' if len(damaged) > 5 else ''}.",
            "Check the access rights, copy the folder again, or remove these files.",
        )


def is_meant_without_pixels(file: Path) -> bool:
    """Whether a DICOM file is a report, a contour set or the like, which often lie beside the slices."""
    try:
        with file.open("rb") as opened:
            is_other = WITHOUT_PIXELS.search(opened.read(1024)) is not None
    except OSError:
        return False
    return is_other or is_private_without_image(file)


def _execute(series: DicomSeries) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in series.files])
    # Each slice of PET has its own scale; the first decides the type of all, and may be whole by chance.
    reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        with itk_warnings_off():
            # The series reader would stack the frames of a single multi-frame file into a fourth dimension.
            return sitk.ReadImage(str(series.files[0])) if len(series.files) == 1 else reader.Execute()
    except RuntimeError as error:
        form = what_is_there(series.files[0])
        why = f"it is {form}" if form else _in_words(error)
        raise BadFile(
            f"The DICOM series in {series.path} cannot be read: {why}.",
            "Export the series again, without compression.",
        ) from error


def _in_words(error: RuntimeError) -> str:
    """The last line of ITK's words, without the address of what says it."""
    return re.sub(r"^ITK ERROR: \w+\([^)]*\): ", "", str(error).strip().splitlines()[-1]).rstrip(".!")


def _places(
    series: DicomSeries, headers: Sequence[sitk.ImageFileReader]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The position (N, 3) and the directions of rows and columns (N, 6) of each slice.

    Raises:
        BadFile: A slice has none.
    """
    if any(header.GetSize()[2:] > (1,) for header in headers):
        raise BadFile(
            f"The DICOM series in {series.path} has {len(headers)} files of several frames: it is a time "
            "series or has several phases.",
            "Export one time point or phase as a series of its own.",
        )
    read = list(zip(headers, series.files, strict=True))
    positions = np.array([_numbers(header, POSITION, 3, file) for header, file in read])
    return positions, np.array([_numbers(header, ORIENTATION, 6, file) for header, file in read])


def _numbers(header: sitk.ImageFileReader, key: str, count: int, file: Path) -> list[float]:
    try:
        numbers = [float(part) for part in header_text(header, key).split("\\")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise BadFile(
            f"{file} does not say where its slice lies in the patient (DICOM tag {key.replace('|', ',')}).",
            "Export the original series from the scanner or PACS.",
        )
    return numbers
