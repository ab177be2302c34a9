"""Show what is in a folder: cases, labels, spacing, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.dataset.annotations import (
    annotated_voxels,
    annotation_file,
    read_annotation,
    read_annotation_mask,
)
from ContrastiveSegLib.dataset.cases import Case, LeftOut, find_cases
from ContrastiveSegLib.file_io.files import read_image
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
from ContrastiveSegLib.imaging.field_of_view import remarks_on_units
from ContrastiveSegLib.imaging.grid import LARGEST_SIDES, derive_grid, slice_axis
from ContrastiveSegLib.imaging.hounsfield import modality_of
from ContrastiveSegLib.imaging.labels import LabelTable, spelling_notes
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.settings.job_settings import ScanSettings
from ContrastiveSegLib.terminal import print_line

SHOWN_STRUCTURES = 5


def run(settings: ScanSettings) -> LostCases:
    """Read every file once, as a job would, and print what was found.

    Returns:
        How many of the cases were lost.

    Raises:
        BadFolder: There is no such folder, or nothing in it.
    """
    chosen = settings.cases
    listing = find_cases(
        settings.folder,
        only=chosen.only,
        leave_out=chosen.leave_out,
        patient_pattern=chosen.patient_pattern,
    )
    left_out = list(listing.left_out)
    shown = []
    print_line(f"{settings.folder}: {listing.layout}")
    print_line(f"{'case':40} {'patient':20} {'size':>16} {'spacing mm':>20} {'kind':6} {'labels'}")
    for case in listing.cases:
        one, reason = attempt(case.name, _show, case, listing.table)
        if one is None:
            left_out.append(LeftOut(case.images[0], reason, failed=True))
        else:
            shown.append(one)
    left_out += [one.unusable_labels for one in shown if one.unusable_labels]
    _summary(shown, [out for out in left_out if not out.by_choice])
    spelled = spelling_notes(name for one in shown for name in one.structures)
    for note in (*listing.notes, *spelled):
        print_line(f"note: {note}")
    failed = sum(out.failed for out in left_out)
    lost = LostCases(failed, failed + sum(not one.unusable_labels for one in shown))
    if lost.are_most:
        print_line(str(lost))
    return lost


@dataclass(frozen=True)
class _Shown:
    """A case whose image can be used."""

    case: Case
    geometry: Geometry
    annotated: bool
    unusable_labels: LeftOut | None
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Labels:
    """What is drawn on a case, as fine-tuning would understand it; nothing if its file cannot be used."""

    text: str = ""
    notes: tuple[str, ...] = ()
    unusable: LeftOut | None = None
    structures: tuple[str, ...] = ()


def _show(case: Case, known: LabelTable | None) -> _Shown:
    read = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels)
    geometry = read.volume.geometry
    labels = _labels_of(case, geometry, known)
    size = " x ".join(map(str, geometry.size))
    spacing = " x ".join(f"{s:.3g}" for s in geometry.spacing)
    kind = modality_of(read.volume.array)
    channels = f" ({len(read.volume.array)} channels)" if len(read.volume.array) > 1 else ""
    print_line(f"{case.name:40} {case.patient:20} {size:>16} {spacing:>20} {kind:6} {labels.text}{channels}")
    for note in (*read.notes, *labels.notes):
        print_line(f"    note: {note}")
    return _Shown(case, geometry, bool(labels.text), labels.unusable, labels.structures)


def _labels_of(case: Case, image: Geometry, known: LabelTable | None) -> _Labels:
    path = annotation_file(case, "auto")
    if path is None:
        return _Labels()
    labels, reason = attempt(case.name, _read_labels, case, path, image, known)
    return labels or _Labels(unusable=LeftOut(path, reason, failed=True))


def _read_labels(case: Case, path: Path, image: Geometry, known: LabelTable | None) -> _Labels:
    table = known or read_annotation(path, case).table
    marks = read_annotation_mask(path, case, table, image, plane="axial")
    if marks.nothing_drawn:
        return _Labels(notes=marks.notes)
    annotation = annotated_voxels(marks, marks.kind)[1]
    is_whole = annotation.kind == "cases" and annotation.share == 1
    how_much = "" if is_whole else f" ({annotation.describe()})"
    names = (
        table.names if known is None else [table.names[index - 1] for index in annotation.classes if index]
    )
    return _Labels(_named(names) + how_much, marks.notes, structures=tuple(names))


def _named(structures: Sequence[str]) -> str:
    if not structures:
        return "all background"
    listed = ", ".join(structures[:SHOWN_STRUCTURES])
    return f"{listed}, ... ({len(structures)})" if len(structures) > SHOWN_STRUCTURES else listed


def _summary(shown: Sequence[_Shown], left_out: Sequence[LeftOut]) -> None:
    for out in left_out:
        print_line(f"left out: {out.path}: {out.reason}")
    patients = len({one.case.patient for one in shown})
    labeled = sum(one.annotated for one in shown)
    print_line(
        f"{len(shown)} cases of {patients} patients, {labeled} with labels; {len(left_out)} files left out."
    )
    geometries = [one.geometry for one in shown]
    for one, remark in zip(shown, remarks_on_units(geometries), strict=True):
        if remark:
            print_line(f"note: {one.case.name}: {remark}")
    if geometries:
        grid = derive_grid(geometries)
        directions = Counter(slice_axis(geometry, grid.plane) for geometry in geometries)
        axes = ", ".join(f"{n} along axis {'ijk'[axis]}" for axis, n in directions.most_common())
        print_line(
            f"Working grid: {grid.spacing:g} mm in plane, patches of {_patches(geometries)}; "
            f"cases are sliced: {axes}."
        )


def _patches(geometries: Sequence[Geometry]) -> str:
    """The patch that training would choose; where it depends on what computes, both."""
    patches = {
        where: " x ".join(map(str, derive_grid(geometries, largest_side=side).patch))
        for where, side in LARGEST_SIDES.items()
    }
    if len({*patches.values()}) == 1:
        return patches["cpu"]
    return f"{patches['cpu']} on a CPU, {patches['gpu']} on a GPU"
