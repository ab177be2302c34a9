"""A folder of cases made ready to learn from: found, prepared, and written down in cases.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ContrastiveSegLib.dataset.annotations import annotation_file
from ContrastiveSegLib.dataset.cases import Case, CaseList, LeftOut, find_cases
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.file_io.source_files import file_size
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt, first_reasons
from ContrastiveSegLib.imaging.field_of_view import remarks_on_units
from ContrastiveSegLib.imaging.grid import WorkingGrid, derive_grid
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.known_grids import find_geometries
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.atomic_write import write_atomically
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import CaseSelection, GridSettings

COLUMNS = (
    "case",
    "patient",
    "role",
    "image",
    "labels",
    "annotation",
    "size",
    "spacing_mm",
    "modality",
    "checksum",
    "notes",
    "reason",
)


@dataclass(frozen=True)
class Found:
    """The cases of a folder whose headers can be read, and all that was left out."""

    cases: tuple[Case, ...]
    geometries: tuple[Geometry, ...]
    listing: CaseList

    @property
    def remarks(self) -> tuple[str, ...]:
        """What each header says beside those of the other cases; "" where it is nothing remarkable."""
        return remarks_on_units(self.geometries)


def find_readable_cases(
    folder: Path, selection: CaseSelection, *, results: bool = False, prepared: Path | None = None
) -> Found:
    """Find the cases and read their headers.

    Args:
        results: As in `find_cases`.
        prepared: Folder of prepared cases, where grids that were read are kept.

    Raises:
        BadFolder: Nothing usable is left; names the first reasons.
    """
    listing = find_cases(
        folder,
        only=selection.only,
        leave_out=selection.leave_out,
        patient_pattern=selection.patient_pattern,
        results=results,
    )
    cases, geometries, left_out = [], [], list(listing.left_out)
    images = [(case.images, case.last_axis_is_channels) for case in listing.cases]
    grids = find_geometries(images, prepared)
    for case, known in zip(listing.cases, grids, strict=True):
        channels = case.last_axis_is_channels
        geometry, reason = known, ""
        if known is None:
            geometry, reason = attempt(case.name, read_geometry, case.images, last_axis_is_channels=channels)
        if geometry is None:
            left_out.append(LeftOut(case.images[0], reason, failed=True))
        else:
            geometries.append(geometry)
            cases.append(case)
    if not cases:
        raise nothing_left(folder, [out.reason for out in left_out])
    return Found(tuple(cases), tuple(geometries), replace(listing, left_out=tuple(left_out)))


def facts_of(found: Found) -> dict[str, list[int]]:
    """What tells two listings apart: the size of each file, by the name of its case."""
    return {case.name: file_sizes(case) for case in found.cases}


def file_sizes(case: Case) -> list[int]:
    """In bytes; -1 for what is no longer there: reading it will say so, and costs this case alone."""
    return [file_size(path) for path in case.images]


def together(found: Found, further: Found) -> Found:
    """The cases of two folders, one after the other."""
    left_out = (*found.listing.left_out, *further.listing.left_out)
    return Found(
        (*found.cases, *further.cases),
        (*found.geometries, *further.geometries),
        replace(found.listing, left_out=left_out),
    )


def warn_of_headers(found: Found, reporter: Reporter) -> None:
    """Say which files are not used and why, apart from those the user did not want, and which look wrong."""
    left_out = [out for out in found.listing.left_out if not out.by_choice]
    reporter.warn_all([f"{out.path} is left out: {out.reason}" for out in left_out])
    remarks = zip(found.cases, found.remarks, strict=True)
    reporter.warn_all([f"{case.name}: {remark}" for case, remark in remarks if remark])


def left_out_words(found: Found) -> str:
    """The first files that are not used and why, for the end of a sentence; "" if there are none."""
    left_out = [out for out in found.listing.left_out if not out.by_choice]
    shown = "; ".join(f"{out.path} {out.reason}" for out in left_out[:2])
    return f" Not used: {shown}{'; ...' if len(left_out) > 2 else '.'}" if left_out else ""


def grid_for(found: Found, settings: GridSettings, *, largest_side: int) -> WorkingGrid:
    """The working grid that these cases ask for, as far as the settings leave it open."""
    return derive_grid(
        found.geometries,
        spatial_dims=settings.spatial_dims,
        spacing=settings.spacing,
        patch=settings.patch,
        plane=settings.plane,
        largest_side=largest_side,
    )


def intensities_for(settings: GridSettings) -> Intensities:
    """How gray values are scaled, as the settings say."""
    return Intensities(settings.modality, settings.window)


def losses(found: Found, outcomes: Sequence[Outcome]) -> LostCases:
    """How many of the cases went wrong; one without annotation is not needed, but not lost."""
    wanted = [outcome for outcome in outcomes if outcome.prepared or outcome.failed]
    return lost_cases_of(found, [outcome.reason for outcome in wanted])


def lost_cases_of(found: Found, reasons: Sequence[str]) -> LostCases:
    """How many of the cases went wrong: those whose headers cannot be read, and those with a reason."""
    unreadable = sum(out.failed for out in found.listing.left_out)
    return LostCases(unreadable + sum(map(bool, reasons)), unreadable + len(reasons))


def report_losses(lost: LostCases, reporter: Reporter) -> LostCases:
    """Say in a line of its own when most of the cases were lost; returns what it was given."""
    if lost.are_most:
        reporter.warn(str(lost))
    return lost


def usable(outcomes: Sequence[Outcome]) -> tuple[PreparedCase, ...]:
    """The prepared cases among the outcomes."""
    return tuple(outcome.prepared for outcome in outcomes if outcome.prepared)


def write_cases(path: Path, found: Found, outcomes: Sequence[Outcome], roles: dict[str, str]) -> None:
    """Write cases.csv: every case and file with its role, or the reason why it was left out.

    Args:
        roles: Case name to "train", "validation" or "unannotated".
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for outcome, geometry, remark in zip(outcomes, found.geometries, found.remarks, strict=True):
        notes = " ".join(filter(None, (*outcome.notes, remark)))
        table.writerow(_row(outcome, geometry, roles) | {"notes": notes})
    for out in found.listing.left_out:
        table.writerow({"image": str(out.path), "role": "left out", "reason": out.reason})
    write_atomically(path, text.getvalue())


def nothing_left(folder: Path, reasons: Sequence[str]) -> BadFolder:
    """The error for a folder none of whose files can be used."""
    return BadFolder(
        f"Nothing in {folder} can be used. {first_reasons(reasons)}",
        "See with `python -m ContrastiveSegLib scan FOLDER` what was found and why it was left out.",
    )


def _row(outcome: Outcome, geometry: Geometry, roles: dict[str, str]) -> dict[str, str]:
    case = outcome.case
    return {
        "case": case.name,
        "patient": case.patient,
        "role": "left out" if outcome.reason else roles.get(case.name, "train"),
        "image": "; ".join(str(path) for path in case.images),
        "labels": str(annotation_file(case, outcome.annotation.kind if outcome.annotation else "auto") or ""),
        "annotation": outcome.annotation.describe() if outcome.annotation else "",
        "size": " x ".join(map(str, geometry.size)),
        "spacing_mm": " x ".join(f"{s:.4g}" for s in geometry.spacing),
        "modality": outcome.modality,
        "checksum": outcome.checksum,
        "reason": outcome.reason,
    }
