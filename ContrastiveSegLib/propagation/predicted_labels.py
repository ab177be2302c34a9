"""Which image belongs to which predicted labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case, LeftOut, find_cases, some_names
from ContrastiveSegLib.dataset.matching import match_predictions
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.settings.job_settings import CaseSelection


@dataclass(frozen=True)
class Prediction:
    """An image and the labels predicted on it."""

    case: Case
    labels: Path


def find_predictions(
    predictions: Path, images: Path, selection: CaseSelection
) -> tuple[list[Prediction], list[LeftOut]]:
    """Bring images and label files together by their names.

    Returns:
        The partners in the order of the labels, and the files that are not used: label files without an
        image, and what is no image.

    Raises:
        BadFolder: A folder is missing or empty, or nothing belongs together.
        BadSetting: As find_cases.
    """
    listing = find_cases(
        images,
        only=selection.only,
        leave_out=selection.leave_out,
        patient_pattern=selection.patient_pattern,
    )
    everyone = find_cases(images, patient_pattern=selection.patient_pattern).cases
    predicted = find_cases(predictions, labels_only=True).cases
    chosen = {case.name: case for case in listing.cases}
    named = {labels.name: labels.images[0] for labels in predicted}
    matched = match_predictions(named, [case.name for case in everyone])
    partners = [Prediction(chosen[case], path) for case, path in matched.files.items() if case in chosen]
    left_out = [out for out in listing.left_out if not out.by_choice]
    for path in named.values():
        if path not in matched.files.values():
            left_out.append(LeftOut(path, matched.doubts.get(path, f"{images} has no image of this case")))
    if not partners:
        raise BadFolder(
            f"No labels in {predictions} (cases: {some_names(predicted)}) belong to an image in {images} "
            f"(cases: {some_names(listing.cases)}).",
            "Check both folders; labels are named like the case of their image.",
        )
    return partners, left_out
