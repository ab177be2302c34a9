"""DICOM SEG: the predictions of a run as a hospital's archive keeps them, with the series they belong to.

Source: DICOM PS3.3, A.51 (segmentation); written with highdicom where it is installed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from ContrastiveSegLib import __version__
from ContrastiveSegLib.disk import make_folder, replacing
from ContrastiveSegLib.errors import BadFile, BadFolder, BadSetting, CannotWrite
from ContrastiveSegLib.exporting._format import Exported, write_each
from ContrastiveSegLib.file_io.dicom import find_series, is_dicom, slice_places
from ContrastiveSegLib.file_io.dicom_segmentation import INSTALL
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.file_io.label_meanings import ReadLabels
from ContrastiveSegLib.imaging.gantry_tilt import is_tilted
from ContrastiveSegLib.imaging.label_values import class_indices
from ContrastiveSegLib.imaging.labels import Structure
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.program_identity import PROGRAM
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import ExportSettings
from ContrastiveSegLib.training.prediction_summary import read_summary

SERIES_NUMBER = 900  # behind those of scanners
LONGEST = 64  # of DICOM's LO
# Of patient and study: what a file must have, if only empty (type 2).
MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
# What 3D Slicer calls a structure whose terms nobody gave, in the order of its terminology entries.
TISSUE = ("SCT", "85756007", "Tissue")
FAMILY = ("DCM", "123110", "Artificial Intelligence")


@dataclass(frozen=True)
class _Predicted:
    """A prediction, and the image it is of: a folder, or a file."""

    case: str
    image: Path
    file: Path


def export(run: RunFolder, settings: ExportSettings, reporter: Reporter) -> Exported:
    """Write a file for each prediction of a DICOM series: CASE.dcm in the output folder.

    Raises:
        BadSetting: highdicom is not installed.
        BadFolder: There are no predictions, or none of them is of a DICOM series.
        CannotWrite: A file is there already, or the disk refuses.
    """
    try:
        import highdicom
    except ImportError as error:
        raise BadSetting("Writing DICOM segmentations needs a further package.", INSTALL) from error
    predicted, output = _predicted(run), settings.output
    targets = [output / f"{one.case}.dcm" for one in predicted]
    if taken := [target for target in targets if target.exists()]:
        raise CannotWrite(f"{taken[0]} is there already.", "Choose another folder.")

    def write(number: int) -> Path:
        return _write(highdicom, predicted[number], targets[number])

    written, lost = write_each([one.case for one in predicted], write, reporter)
    words = f"{len(written)} predictions are in {output} as DICOM SEG, each with the UIDs of its series."
    return Exported(output, words, lost)


def _predicted(run: RunFolder) -> list[_Predicted]:
    """The predictions in the run folder, as the summary beside them names them."""
    found = [
        _Predicted(name, Path(entry["image"][0]), run.predictions / Path(entry["prediction"]).name)
        for name, entry in sorted(read_summary(run.summary(suffix="json")).items())
        if entry["image"]
    ]
    found = [one for one in found if one.file.is_file()]
    if not found:
        raise BadFolder(
            f"There are no predictions in {run.path}, or no {run.summary(suffix='json').name} beside them.",
            "Predict first, with --overwrite if there are predictions of an earlier version.",
        )
    return found


def _write(highdicom: Any, predicted: _Predicted, target: Path) -> Path:
    image = predicted.image
    if not (image.is_dir() or is_dicom(image)):
        raise BadFile(f"{image} is no DICOM series.", "Use the .seg.nrrd file of its prediction.")
    series = find_series(image)
    sources = [pydicom.dcmread(file, stop_before_pixels=True) for file in series.files]
    for source in sources:
        _complete(source, image)
    read = read_labels(predicted.file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on names of patients, which are the scanner's
        made = _made(highdicom, sources, read, is_tilted(slice_places(series)))
    make_folder(target.parent)
    with replacing(target) as temporary:
        made.save_as(temporary)
    return target


def _complete(source: Any, image: Path) -> None:
    """Leave empty what somebody took out of a header to hide who the patient is.

    Raises:
        BadFile: It does not say in which space the image lies.
    """
    if "FrameOfReferenceUID" not in source:
        raise BadFile(
            f"{image} has no frame of reference (DICOM tag 0020,0052), which a segmentation must name.",
            "Use the .seg.nrrd file of its prediction.",
        )
    for name in MAY_BE_EMPTY:
        if name not in source:
            setattr(source, name, "")


def _made(highdicom: Any, sources: Sequence[Any], read: ReadLabels, is_askew: bool) -> Any:
    """The data set of a labeling, with the patient, study and references of its sources.

    Args:
        is_askew: Whether slices lie beside the grid of the labels; each then has the place of its source.
    """
    numbers = class_indices(read.volume.array, read.table).astype(np.uint16)
    is_of_slices = is_askew and len(sources) == len(numbers)
    segments = [
        _description(highdicom, number, structure)
        for number, structure in enumerate(read.table.structures, start=1)
    ]
    made = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=numbers
        if is_of_slices
        else _volume(highdicom, numbers, read.volume.geometry, sources[0].FrameOfReferenceUID),
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=highdicom.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=PROGRAM,
        manufacturer_model_name=PROGRAM,
        software_versions=__version__,
        device_serial_number="none",
        content_description="Predicted; not checked by a person",
    )
    made.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: names of structures may have letters that scanners lack
    made.SeriesDescription = f"{PROGRAM} segmentation"
    return made


def _volume(highdicom: Any, numbers: Any, grid: Geometry, frame_of_reference: str) -> Any:
    """Numbers of segments (K, H, W), with axes and places as highdicom counts them: k, j, i."""
    return highdicom.Volume(
        numbers,
        _affine(grid),
        "PATIENT",
        frame_of_reference_uid=str(frame_of_reference),
    )


def _affine(geometry: Geometry) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(4, 4) from k, j, i to LPS in mm."""
    affine = np.eye(4)
    affine[:3, :3] = (np.reshape(geometry.direction, (3, 3)) * geometry.spacing)[:, ::-1]
    affine[:3, 3] = geometry.origin
    return affine


def _description(highdicom: Any, number: int, structure: Structure) -> Any:
    concept = highdicom.sr.CodedConcept
    terms = [_plain(part).split("^") for part in structure.terminology.split("~")[1:3]]
    category, kind = terms if [len(list(filter(None, term))) for term in terms] == [3, 3] else [TISSUE] * 2
    red, green, blue = (round(255 * part) for part in structure.color)
    algorithm = highdicom.AlgorithmIdentificationSequence(PROGRAM, concept(*_terms(*FAMILY)), __version__)
    return highdicom.seg.SegmentDescription(
        number,
        _plain(structure.name)[:LONGEST],
        concept(*_terms(*category)),
        concept(*_terms(*kind)),
        highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        display_color=highdicom.color.CIELabColor.from_rgb(red, green, blue),
    )


def _terms(scheme: str, value: str, meaning: str) -> tuple[str, str, str]:
    """In highdicom's order."""
    return value, scheme, meaning[:LONGEST]


def _plain(text: str) -> str:
    """Without the sign that separates values in DICOM."""
    return text.replace("\\", "/")
