"""Annotations on disk: each with a copy of its image, laid out like any folder of labeled cases."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.disk import cannot_write, replacing
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.file_io.files import read_image, write_image
from ContrastiveSegLib.runs.atomic_write import make_folder, write_json
from ContrastiveSegLib.runs.case_files import case_file, cases_in
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge.annotation_record import read_object, record_file

LABELS, SCRIBBLES = "labels", "scribbles"


@dataclass(frozen=True)
class Counts:
    """What was annotated by hand in a run.

    Args:
        cases: With labels, whole or in some slices.
        whole: Those of them of which it is known that they are whole.
        slices: Of those of which it is known that only some slices are annotated.
        scribbles: Cases with scribbles.
    """

    cases: int = 0
    whole: int = 0
    slices: int = 0
    scribbles: int = 0


def annotation_path(run: RunFolder, case: str, *, scribbles: bool) -> Path:
    """Where the annotation of a case is saved."""
    return case_file(run.annotations / (SCRIBBLES if scribbles else LABELS), case)


def find_annotation(run: RunFolder, case: str) -> Path | None:
    """The saved annotation of a case, whichever kind it is."""
    paths = [annotation_path(run, case, scribbles=kind) for kind in (False, True)]
    return next((path for path in paths if path.is_file()), None)


def keep_image(run: RunFolder, case: Case) -> Path:
    """Put a copy of the image beside the annotation, so that the run can be moved and shared.

    Raises:
        BadFile: The image cannot be read.
        CannotWrite: The disk refuses.
    """
    folder = run.annotations / "images"
    make_folder(folder)
    source = case.images[0]
    is_plain = len(case.images) == 1 and source.is_file() and not case.last_axis_is_channels
    suffix = split_suffix(source.name)[1] if is_plain else ""
    is_whole = suffix and suffix not in (".mhd", ".nhdr", ".hdr")  # these have their voxels in a second file
    target = folder / f"{case.name}{suffix if is_whole else '.nrrd'}"
    if target.exists():
        return target  # and if a person put it there, it stays that person's
    if is_whole:
        _copy(source, target)
    else:
        read = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels)
        write_image(target, read.volume)
    record_file(run, target)
    return target


def forget_other(run: RunFolder, case: str, *, scribbles: bool) -> None:
    """Take away what was saved of a case before it was said to be scribbles, or to be none.

    Raises:
        CannotWrite: The disk refuses.
    """
    path = annotation_path(run, case, scribbles=not scribbles)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def note_amount(run: RunFolder, case: str, *, slices: int, kind: str) -> None:
    """Remember how much of a case is annotated, for the counts."""
    amounts = _amounts(run) | {case: {"slices": slices, "kind": kind}}
    make_folder(run.panel)
    write_json(run.panel / "amounts.json", amounts)
    saved = find_annotation(run, case)
    if saved is not None:
        record_file(run, saved)


def count(run: RunFolder) -> Counts:
    """The annotations there are; slices as far as they were counted when they were saved."""
    amounts = _amounts(run)
    labeled, painted = (_names(run, kind) for kind in (LABELS, SCRIBBLES))
    told = [amounts[case] for case in labeled if isinstance(amounts.get(case), dict)]
    whole = [amount for amount in told if amount.get("kind") == "cases"]
    slices = sum(_number(amount.get("slices")) for amount in told if amount not in whole)
    return Counts(len(labeled), len(whole), slices, len(painted))


def annotated_cases(run: RunFolder) -> frozenset[str]:
    """The names of the cases that have an annotation in this run."""
    return frozenset(_names(run, LABELS) | _names(run, SCRIBBLES))


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _names(run: RunFolder, kind: str) -> set[str]:
    return set(cases_in(run.annotations / kind))


def _amounts(run: RunFolder) -> dict[str, dict[str, Any]]:
    return read_object(run.panel / "amounts.json")


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
