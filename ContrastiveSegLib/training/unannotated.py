"""Scans that nobody annotated, to learn from beside the annotated ones; those left out have a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.cases import Case, LeftOut
from ContrastiveSegLib.errors import BadFile, BadFolder, BadSetting
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.preprocessing.plan import FEWEST_SCANS
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import CaseSelection, FinetuneSettings, PretrainSettings
from ContrastiveSegLib.training.data import Found, find_readable_cases
from ContrastiveSegLib.training.preparing import prepare_each

# Fields of view differ from scanner to scanner; a localizer or a cropped organ differs by more than this.
LARGEST_RATIO = 2.0
LARGEST_RATIO_ACROSS_SLICES = 3.0
# Between the directions in which slices follow each other: oblique stacks differ by less, other views by 90.
LARGEST_ANGLE = 60.0


def find_unannotated(
    settings: FinetuneSettings, folder: RunFolder, annotated: Sequence[Case], reporter: Reporter
) -> Found | None:
    """The scans of the folder that the user named, or of pre-training; without the annotated ones.

    Raises:
        BadFolder, BadSetting: The folder that the user named cannot be used.
    """
    store = settings.prepared or folder.prepared
    if settings.unlabeled:
        if settings.unlabeled == "none":
            return None
        selection = replace(settings.cases, only=())
        scans = find_readable_cases(Path(settings.unlabeled), selection, prepared=store)
        return _without(annotated, scans)
    asked = _pretraining(settings, folder)
    if asked is None:
        return None
    try:
        selection = _selection(settings.cases, asked.cases)
        found = find_readable_cases(asked.images, selection, prepared=store)
    except (BadFolder, BadSetting) as error:
        reporter.warn(f"The scans of pre-training are not learned from here: {error}")
        return None
    return _without(annotated, found)


def prepare_unannotated(
    found: Found, folder: Path, recipe: Recipe, reporter: Reporter, *, annotated: Sequence[Outcome]
) -> list[Outcome]:
    """Bring the scans to the working grid; each that does not go with the annotated ones has a reason."""
    there = [outcome for outcome in annotated if outcome.prepared]
    return prepare_each(
        found, folder, recipe, reporter, judged=lambda outcomes: [with_reason(o, there) for o in outcomes]
    )


def choose_unannotated(
    outcomes: Sequence[Outcome], validation: Sequence[PreparedCase], reporter: Reporter
) -> tuple[PreparedCase, ...]:
    """The scans to learn from, every voxel IGNORE_LABEL; says so where they are too few, and takes none.

    Nothing is learned from patients that are validated on.
    """
    held_out = {case.patient for case in validation}
    usable = (outcome.prepared for outcome in outcomes if outcome.prepared)
    cases = tuple(case.as_unannotated() for case in usable if case.patient not in held_out)
    if len(cases) >= FEWEST_SCANS:
        reporter.info(f"{len(cases)} scans that nobody annotated are learned from too.")
        return cases
    there = f"Only {len(cases)} of the scans without annotation" if cases else "No scan without annotation"
    reporter.warn(
        f"{there} can be used, and at least {FEWEST_SCANS} are needed: only the annotated cases are "
        "learned from. Name a folder with more scans with --unlabeled."
    )
    return ()


def was_pretrained(settings: FinetuneSettings, folder: RunFolder) -> bool:
    """Whether there was a pre-training, whose scans could be learned from."""
    return _pretraining(settings, folder) is not None


def _pretraining(settings: FinetuneSettings, folder: RunFolder) -> PretrainSettings | None:
    """What the pre-training was asked that fine-tuning starts from, or that lies in the same run."""
    run = folder if settings.start in ("", "none") else RunFolder(Path(settings.start))
    try:
        return run.read_settings("pretrain", PretrainSettings)
    except (BadFile, BadSetting):
        return None


def _selection(own: CaseSelection, pretraining: CaseSelection) -> CaseSelection:
    """The cases of pre-training, without those that fine-tuning leaves out."""
    return CaseSelection(
        only=pretraining.only,
        leave_out=(*pretraining.leave_out, *own.leave_out),
        patient_pattern=own.patient_pattern or pretraining.patient_pattern,
    )


def _without(annotated: Sequence[Case], found: Found) -> Found:
    """The scans without those that are annotated: the same file, or the same name of the same patient."""
    files = {path.resolve() for case in annotated for path in case.images}
    names = {(case.patient, case.name) for case in annotated}
    known = [
        any(path.resolve() in files for path in case.images) or (case.patient, case.name) in names
        for case in found.cases
    ]
    pairs = zip(found.cases, found.geometries, known, strict=True)
    kept = [(case, geometry) for case, geometry, is_known in pairs if not is_known]
    left_out = [
        LeftOut(case.images[0], "annotated, and learned from with its labels", by_choice=True)
        for case, is_known in zip(found.cases, known, strict=True)
        if is_known
    ]
    return Found(
        tuple(case for case, _ in kept),
        tuple(geometry for _, geometry in kept),
        replace(found.listing, left_out=(*found.listing.left_out, *left_out)),
    )


def with_reason(outcome: Outcome, annotated: Sequence[Outcome]) -> Outcome:
    """The outcome, left out with a reason where it does not go with the annotated cases."""
    if outcome.prepared is None:
        return outcome
    reason = (
        _same_image(outcome, annotated)
        or _other_modality(outcome, annotated)
        or _other_channels(outcome.prepared, annotated)
        or _other_view(outcome.prepared.working, _grids(annotated))
    )
    return replace(outcome, prepared=None, reason=reason) if reason else outcome


def _grids(annotated: Sequence[Outcome]) -> list[Geometry]:
    return [outcome.prepared.working for outcome in annotated if outcome.prepared]


def _same_image(outcome: Outcome, annotated: Sequence[Outcome]) -> str:
    same = [other.case.name for other in annotated if other.checksum == outcome.checksum]
    return f"It is the image of the annotated case {same[0]}, which is learned from already." if same else ""


def _other_modality(outcome: Outcome, annotated: Sequence[Outcome]) -> str:
    known = {other.modality for other in annotated}
    if outcome.modality in known:
        return ""
    words = ("a CT", "no CT") if outcome.modality == "ct" else ("no CT", "CT")
    return f"It looks like {words[0]}, and the annotated cases are {words[1]}."


def _other_channels(case: PreparedCase, annotated: Sequence[Outcome]) -> str:
    known = {other.prepared.channels for other in annotated if other.prepared}
    if case.channels in known:
        return ""
    return f"It has {case.channels} channels, the annotated cases have {', '.join(map(str, sorted(known)))}."


def _other_view(grid: Geometry, annotated: Sequence[Geometry]) -> str:
    own, known = _extent(grid), np.array([_extent(other) for other in annotated])
    ratios = np.array([LARGEST_RATIO_ACROSS_SLICES, LARGEST_RATIO, LARGEST_RATIO])
    if not ((own <= known.max(0) * ratios) & (own >= known.min(0) / ratios)).all():
        return f"It shows {_in_words(own)} mm, an annotated case {_in_words(np.median(known, 0))} mm."
    angle = min(_angle(_normal(grid), _normal(other)) for other in annotated)
    if angle > LARGEST_ANGLE:
        return f"Its slices are turned by {angle:.0f} degrees against those of the annotated cases."
    return ""


def _extent(grid: Geometry) -> npt.NDArray[np.float64]:
    """(3,) what the grid shows along K, H, W, in mm."""
    extent: npt.NDArray[np.float64] = np.multiply(grid.shape, grid.spacing_khw)
    return extent


def _normal(grid: Geometry) -> npt.NDArray[np.float64]:
    """(3,) the direction in which slices follow each other."""
    return np.reshape(grid.direction, (3, 3))[:, 2]


def _angle(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(np.clip(abs(one @ other), 0, 1))))


def _in_words(extent: npt.NDArray[np.float64]) -> str:
    return " x ".join(f"{n:.0f}" for n in extent)
