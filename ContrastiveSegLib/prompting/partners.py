"""Which image belongs to which predicted labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.runs.job_settings import CaseSelection
from ContrastiveSegLib.volumes.cases import Case, find_cases
from ContrastiveSegLib.volumes.file_names import case_key


@dataclass(frozen=True)
class Partner:
    """An image and the labels predicted on it."""

    case: Case
    labels: Path


def find_partners(
    predictions: Path, images: Path, selection: CaseSelection
) -> tuple[list[Partner], list[str]]:
    """Bring images and label files together by their names.

    Returns:
        The partners, and a sentence for each label file without an image.

    Raises:
        BadFolder: A folder is missing or empty, or nothing belongs together.
        BadSetting: As find_cases.
    """
    cases = find_cases(
        images,
        only=selection.only,
        leave_out=selection.leave_out,
        patient_pattern=selection.patient_pattern,
    ).cases
    everyone = find_cases(images, patient_pattern=selection.patient_pattern).cases
    predicted = find_cases(predictions, labels_only=True).cases
    by_name = {case.name: case for case in cases}
    by_key = {case_key(case.name): case for case in cases if case_key(case.name)}
    known = {name for case in everyone for name in (case.name, case_key(case.name))}
    partners, alone = [], []
    for labels in predicted:
        case = by_name.get(labels.name) or by_key.get(case_key(labels.name))
        if case:
            partners.append(Partner(case, labels.images[0]))
        elif labels.name not in known and case_key(labels.name) not in known:
            alone.append(f"{labels.images[0]} is left out: {images} has no image of this case.")
    if not partners:
        raise BadFolder(
            f"No labels in {predictions} (cases: {_names(predicted)}) belong to an image in {images} (cases: "
            f"{_names(cases)}).",
            "Check both folders; labels are named like the case of their image.",
        )
    return partners, alone


def _names(cases: tuple[Case, ...]) -> str:
    return ", ".join(case.name for case in cases[:3]) + (", ..." if len(cases) > 3 else "")
