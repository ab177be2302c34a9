"""Find the cases in a folder: image, labels or scribbles if any, why a file was left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from pathlib import Path

from ContrastiveSegLib.dataset.dataset_json import DatasetFile
from ContrastiveSegLib.dataset.layouts import FoundFile, LeftOut, Survey, survey
from ContrastiveSegLib.dataset.pairing import Group, pair
from ContrastiveSegLib.dataset.patients import patients_of, remarks_on
from ContrastiveSegLib.dataset.resaved_results import finder
from ContrastiveSegLib.errors import BadFolder, BadSetting
from ContrastiveSegLib.imaging.labels import LabelTable

__all__ = ["Case", "CaseList", "LeftOut", "find_cases"]

# Names that a message gives as examples.
EXAMPLES = 3


@dataclass(frozen=True)
class Case:
    """One image to work with, and what is known about it.

    Args:
        images: One file per channel, or one file, or one DICOM series (its folder; where the folder holds
            several series, the first file of this one).
        patient: Whose image it is; cases of one patient stay on one side of every split.
        last_axis_is_channels: Whether the fourth axis of a 4D file counts channels; read_image() asks for it.
        ignored: The value of its label map that says nothing; None if each says something.
    """

    name: str
    images: tuple[Path, ...]
    labels: Path | None = None
    scribbles: Path | None = None
    patient: str = ""
    last_axis_is_channels: bool = False
    ignored: int | None = None


@dataclass(frozen=True)
class CaseList:
    """The cases of a folder.

    Args:
        layout: How the folder is arranged, in words.
        table: The structures that dataset.json names; None without it.
        ignored: The label value that dataset.json calls "ignore"; None without it.
        notes: What the user should know about the folder as a whole.
    """

    cases: tuple[Case, ...]
    left_out: tuple[LeftOut, ...]
    layout: str
    table: LabelTable | None = None
    ignored: int | None = None
    notes: tuple[str, ...] = ()


def find_cases(
    folder: Path,
    *,
    only: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    patient_pattern: str = "",
    labels_only: bool = False,
    results: bool = False,
) -> CaseList:
    """Find the cases in a folder and all below it, without reading a voxel.

    Images and labels may lie in folders of their own (images/ and labels/, imagesTr and labelsTr) or side by
    side (case.nii.gz and case-label.nii.gz), in one folder for all or in one per case.

    Args:
        only: Names of cases or patients to keep, with * and ? for any letters; empty: all.
        leave_out: Names of cases or patients to leave out, likewise.
        patient_pattern: Regular expression that finds the patient in the name of a case, as its one group.
        labels_only: Whether the folder holds label files without images, such as predictions; each case then
            names its label file as its image, too.
        results: Whether labels that this program made and nobody changed count, too: they are no annotations.

    Raises:
        BadFolder: The folder is missing or empty, or a name of `only` fits no case.
        BadSetting: The pattern is no regular expression with one group, or finds no patient in some name.
    """
    found = survey(folder)
    if labels_only:
        found = replace(found, files=_with_themselves(found.files))
    elif not results:
        found = _without_results(found)
    groups, unpaired = pair(found, folder.resolve().name)
    patients, notes = _patients(groups, folder, patient_pattern)
    cases = [_case(group, patient, found.dataset) for group, patient in zip(groups, patients, strict=True)]
    kept, not_chosen = _chosen(cases, folder, only, leave_out)
    left_out = (*found.left_out, *unpaired, *not_chosen)
    return CaseList(kept, left_out, found.layout, found.dataset.table, found.dataset.ignored, notes)


def some_names(cases: Sequence[Case], shown: int = 3) -> str:
    """The first names, for a message."""
    return ", ".join(case.name for case in cases[:shown]) + (", ..." if len(cases) > shown else "") or "none"


def _without_results(found: Survey) -> Survey:
    """Leave out what the program itself made: no person checked it. One remark for each folder."""
    made_by = finder()
    every = [
        file if file.made or file.is_series or file.refers_to else replace(file, made=made_by(file.path))
        for file in found.files
    ]
    by_folder: dict[Path, list[FoundFile]] = defaultdict(list)
    for file in every:
        if file.made:
            by_folder[file.path.parent].append(file)
    remarks = [LeftOut(folder, _no_annotations(files)) for folder, files in by_folder.items()]
    files = tuple(file for file in every if not file.made)
    return replace(found, files=files, left_out=(*remarks, *found.left_out))


def _no_annotations(files: Sequence[FoundFile]) -> str:
    how = ", ".join(sorted({file.made for file in files}))
    names = ", ".join(file.path.name for file in files[:EXAMPLES]) + (
        ", ..." if len(files) > EXAMPLES else ""
    )
    return (
        f"holds {len(files)} results that nobody changed ({how}), which are no annotations: {names}; correct "
        "them, or save what is right in 3D Slicer into another folder, such as labels"
    )


def _with_themselves(files: Sequence[FoundFile]) -> tuple[FoundFile, ...]:
    """Let every file that may hold labels be image and label at once, so that it makes a case of its own."""
    labels = [file for file in files if file.role != "scribbles" and not file.is_series]
    return tuple(replace(file, role=role) for role in ("image", "labels") for file in labels)


def _patients(groups: Sequence[Group], folder: Path, pattern: str) -> tuple[list[str], tuple[str, ...]]:
    """The patient of each group, and what to know about the guesses."""
    patient_in = _patient_finder(pattern)
    if patient_in:
        return [_patient(group, patient_in) for group in groups], ()
    guesses = patients_of(groups, folder.resolve().name)
    return guesses, remarks_on(groups, guesses)


def _case(group: Group, patient: str, dataset: DatasetFile) -> Case:
    return Case(
        name=group.name,
        images=group.images,
        labels=group.labels,
        scribbles=group.scribbles,
        patient=patient,
        last_axis_is_channels=dataset.channels > 1 and len(group.images) == 1 and not group.is_series,
        ignored=dataset.ignored if group.labels else None,
    )


def _patient_finder(pattern: str) -> re.Pattern[str] | None:
    if not pattern:
        return None
    advice = "Write for example (patient\\d+), with the patient in parentheses, or leave it empty."
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadSetting(f"patient_pattern '{pattern}' is no regular expression: {error}.", advice) from error
    if compiled.groups != 1:
        raise BadSetting(f"patient_pattern '{pattern}' has {compiled.groups} groups, expected one.", advice)
    return compiled


def _patient(group: Group, patient_in: re.Pattern[str]) -> str:
    found = patient_in.search(group.name)
    if not found or not found[1]:
        # A guess instead could put images of one patient on both sides of a split.
        raise BadSetting(
            f"patient_pattern '{patient_in.pattern}' finds no patient in the case name '{group.name}'.",
            "Widen the pattern, or leave this case out.",
        )
    return found[1]


def _chosen(
    cases: Sequence[Case], folder: Path, only: Sequence[str], leave_out: Sequence[str]
) -> tuple[tuple[Case, ...], list[LeftOut]]:
    wanted, unwanted = ([re.compile(translate(pattern)) for pattern in names] for names in (only, leave_out))
    for pattern, name in zip(wanted, only, strict=True):
        if not any(_fits(case, [pattern]) for case in cases):
            examples = ", ".join(case.name for case in cases[:EXAMPLES]) or "none"
            raise BadFolder(
                f"No case or patient in {folder} is called '{name}' (cases there: {examples}"
                f"{', ...' if len(cases) > EXAMPLES else ''}).",
                "Correct the name; * stands for any letters.",
            )
    kept, left_out = [], []
    for case in cases:
        if wanted and not _fits(case, wanted):
            left_out.append(
                LeftOut(case.images[0], "not among the cases of the setting 'only'", by_choice=True)
            )
        elif _fits(case, unwanted):
            left_out.append(LeftOut(case.images[0], "named by the setting 'leave_out'", by_choice=True))
        else:
            kept.append(case)
    return tuple(kept), left_out


def _fits(case: Case, patterns: Sequence[re.Pattern[str]]) -> bool:
    return any(pattern.match(case.name) or pattern.match(case.patient) for pattern in patterns)
