"""Bring together predicted and true labels of the same case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ContrastiveSegLib.dataset.cases import CaseList, LeftOut, find_cases, some_names
from ContrastiveSegLib.dataset.file_roles import role_of_name
from ContrastiveSegLib.dataset.matching import match_predictions
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.imaging.labels import LabelTable


@dataclass(frozen=True)
class LabelPair:
    """A predicted and a true label file of one case.

    Args:
        image: What the true labels were drawn on; () where it is not known.
    """

    case: str
    patient: str
    prediction: Path
    truth: Path
    image: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LabelPairs:
    """What can be compared, and what cannot.

    Args:
        table: The structures that dataset.json beside the true labels names; None without it.
        ignored: The value of the true labels that says nothing; None if each says something.
    """

    pairs: tuple[LabelPair, ...]
    left_out: tuple[LeftOut, ...]
    table: LabelTable | None = None
    ignored: int | None = None


def find_label_pairs(
    predictions: Path,
    labels: Path,
    *,
    only: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    patient_pattern: str = "",
) -> LabelPairs:
    """Find the cases that have a prediction and a true label; uncertainty maps are no predictions.

    Cases that `only` and `leave_out` exclude are not mentioned; every other file that stays alone is.

    Args:
        predictions: Folder with <case>.seg.nrrd, <case>.nii.gz or another volume format.
        labels: Folder with images and labels in any layout that find_cases knows, or with label files alone.

    Raises:
        BadFolder: A folder is missing or empty, a name of `only` fits no label, or no prediction has a label.
        BadSetting: As find_cases.
    """
    predicted = find_cases(predictions, labels_only=True)
    truths = find_cases(labels, patient_pattern=patient_pattern)
    # A folder in which no image has a label is taken for a folder of labels.
    labels_only = not any(case.labels for case in truths.cases)
    how: dict[str, Any] = {"patient_pattern": patient_pattern, "labels_only": labels_only}
    truths = find_cases(labels, **how) if labels_only else truths
    chosen = find_cases(labels, only=only, leave_out=leave_out, **how)
    named = {case.name: case.images[0] for case in predicted.cases}
    matched = match_predictions(named, [case.name for case in truths.cases if case.labels])
    partners, doubts = matched.files, [LeftOut(path, why) for path, why in matched.doubts.items()]
    with_both = [(c, c.labels) for c in chosen.cases if c.labels and c.name in partners]
    pairs = tuple(LabelPair(c.name, c.patient, partners[c.name], file, c.images) for c, file in with_both)
    if not pairs:
        raise _nothing_fits(predictions, predicted, labels, chosen)
    # A label file that stands for its own image can be left out twice; the first reason is the better one.
    alone = {file.path: file for file in reversed([*doubts, *_alone(predicted, truths, chosen, partners)])}
    return LabelPairs(pairs, tuple(reversed(alone.values())), truths.table, truths.ignored)


def _alone(
    predicted: CaseList, truths: CaseList, chosen: CaseList, partners: Mapping[str, Path]
) -> Iterator[LeftOut]:
    """Every label file that has no partner, or that could not be understood."""
    used = set(partners.values())
    for case in predicted.cases:
        if case.images[0] not in used:
            yield LeftOut(case.images[0], "no label of this case")
    for case in chosen.cases:
        if case.labels and case.name not in partners:
            yield LeftOut(case.labels, "no prediction of this case")
    for file in (*predicted.left_out, *truths.left_out):
        stem, suffix = split_suffix(file.path.name)
        # Tables, pictures and uncertainty maps beside predictions are where they belong.
        if suffix and role_of_name(stem, suffix) != "uncertainty":
            yield file


def _nothing_fits(predictions: Path, predicted: CaseList, labels: Path, truths: CaseList) -> BadFolder:
    return BadFolder(
        f"No prediction in {predictions} (cases: {some_names(predicted.cases)}) has a label in {labels} "
        f"(cases: {some_names(truths.cases)}).",
        "Check both folders; a prediction is named like the case of its label.",
    )
