"""Resample series of a tilted gantry, and their labels, so that slices are stacked straight."""

from __future__ import annotations

import re
from pathlib import Path

from ContrastiveSegLib.dataset.annotations import annotation_file, read_annotation
from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.disk import make_folder
from ContrastiveSegLib.errors import BadFolder, CannotWrite
from ContrastiveSegLib.file_io.dicom import find_series, is_dicom, slice_places
from ContrastiveSegLib.file_io.files import read_image, write_image, write_labels
from ContrastiveSegLib.file_io.label_meanings import as_segments
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
from ContrastiveSegLib.imaging.gantry_tilt import Places, is_tilted, straight_grid, straightened
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.settings.job_settings import StraightenSettings
from ContrastiveSegLib.terminal import print_line


def run(settings: StraightenSettings) -> LostCases:
    """Write PATIENT/CASE.nii.gz and its labels for each tilted series; all others stay where they are.

    Returns:
        How many of the cases were lost.

    Raises:
        BadFolder: There is no such folder, or no tilted series in it.
        CannotWrite: There are files in the output folder, or the disk refuses.
    """
    chosen, output = settings.cases, settings.output
    if output.exists() and any(output.iterdir()):
        raise CannotWrite(f"There are files in {output} already.", "Choose another folder.")
    cases = find_cases(
        settings.folder,
        only=chosen.only,
        leave_out=chosen.leave_out,
        patient_pattern=chosen.patient_pattern,
    ).cases
    written: list[Path] = []
    lost = 0
    for case in cases:
        found, reason = attempt(case.name, _straighten, case, output)
        if found is None:
            print_line(f"left out: {case.name}: {reason}")
            lost += 1
        written += found or []
    if not written:
        raise BadFolder(f"None of the {len(cases)} cases has a tilted gantry.", "Use them as they are.")
    print_line(f"{len(written)} of {len(cases)} cases had a tilted gantry; they are straight in {output}.")
    return LostCases(lost, len(cases))


def _straighten(case: Case, output: Path) -> list[Path]:
    """Write the image of a case, and its labels if it has any; nothing if it is straight already."""
    places = _places(case)
    if places is None or not is_tilted(places):
        return []
    image = read_image(case.images).volume
    folder = output / (re.sub(r"[^\w.-]+", "_", case.patient).strip("._") or "patient")
    labels = _labels(case, image.geometry, places)
    make_folder(folder)
    target = folder / f"{case.name}.nii.gz"
    write_image(target, straightened(image, places))
    if labels is not None:
        # By its name it stays known that what scribbles leave out is not background.
        are_scribbles = annotation_file(case, "auto") == case.scribbles
        ending = "_scribbles.seg.nrrd" if are_scribbles else ".seg.nrrd"
        write_labels(folder / f"{case.name}{ending}", *labels)
    print_line(f"{target}: {'with' if labels else 'without'} labels")
    return [target]


def _places(case: Case) -> Places | None:
    """Where the slices of a DICOM series lie; None for other images."""
    (first, *_) = case.images
    return slice_places(find_series(first)) if first.is_dir() or is_dicom(first) else None


def _labels(case: Case, grid: Geometry, places: Places) -> tuple[Volume, LabelTable] | None:
    """Labels on the grid of the image move with its slices; others lie where they were drawn."""
    source = annotation_file(case, "auto")
    if source is None:
        return None
    drawn, table = as_segments(read_annotation(source, case))
    if drawn.geometry.matches(grid):
        return straightened(drawn, places, labels=True), table
    return labels_on_grid(drawn, straight_grid(grid, places), name=case.name).volume, table
