"""Prepared cases on disk: made once, several at a time, reused as long as their sources stay the same."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.annotations import (
    Annotation,
    annotated_voxels,
    annotation_file,
    read_annotation,
    read_annotation_mask,
)
from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.disk import make_folder
from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.file_io.files import read_image
from ContrastiveSegLib.file_io.structure_files import label_files, structure_table
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.hounsfield import gray_notes
from ContrastiveSegLib.imaging.label_values import BACKGROUND
from ContrastiveSegLib.imaging.labels import LabelTable, same_name, spelling_notes
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.preprocessing.array_store import (
    array_file,
    checksum,
    read_facts,
    stem_of,
    store,
)
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.resampling import prepare, prepare_labels
from ContrastiveSegLib.preprocessing.stored_array import count_classes, open_array
from ContrastiveSegLib.preprocessing.superpixels import (
    COMPACTNESS,
    REGIONS_PER_PATCH,
    regions_of,
    regions_of_slices,
)

SHOWN_REASONS = 3

LOGGER = logging.getLogger("ContrastiveSegLib")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a prepared array contains, apart from its source.

    Args:
        table: Prepare the labels too, in the order of this table.
        regions: Prepare superpixels too; supervoxels if the patch is a block.
        annotation: What was annotated: "cases", "slices", "scribbles", or "auto" to see it from each case.
        outside_is_background: What lies outside of a closed line of scribbled background is background too.
        slices: Case name to the slices that are annotated, whatever is drawn elsewhere.
    """

    grid: WorkingGrid
    intensities: Intensities
    table: LabelTable | None = None
    regions: bool = False
    annotation: str = "auto"
    outside_is_background: bool = False
    slices: Mapping[str, Sequence[int]] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one case: prepared, or left out with the reason.

    Args:
        annotation: How much of it is annotated; None if labels were not asked for.
        failed: Whether something went wrong with it, and not only that nobody annotated it.
    """

    case: Case
    prepared: PreparedCase | None
    modality: str = ""
    checksum: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""
    annotation: Annotation | None = None
    failed: bool = False


def prepare_cases(
    cases: Sequence[Case], folder: Path, recipe: Recipe, *, on_case: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Prepare all cases, or find them prepared; one that cannot be used is left out, with the reason.

    Args:
        folder: Where the prepared arrays live; it may be deleted at any time.
        recipe: With a label table, the labels are prepared too and must be there.

    Raises:
        CannotWrite: The folder cannot be written.
    """
    make_folder(folder)
    with _threads() as pool:
        outcomes = []
        for outcome in pool.map(lambda case: _prepare_or_reason(case, folder, recipe), cases):
            outcomes.append(outcome)
            if on_case:
                on_case(outcome)
    return outcomes


def _threads() -> ThreadPoolExecutor:
    """Threads suffice: SimpleITK and numpy release the interpreter lock for everything that takes time.

    One more than there are cores, because one of them mostly waits for the process that reads.
    """
    return ThreadPoolExecutor(max_workers=min(4, 1 + (os.cpu_count() or 1)))


def _prepare_or_reason(case: Case, folder: Path, recipe: Recipe) -> Outcome:
    if reason := _not_annotated(case, recipe):
        return Outcome(case, None, reason=reason)
    outcome, reason = attempt(case.name, _prepare_one, case, folder, recipe)
    return outcome or Outcome(case, None, reason=reason, failed=True)


def _not_annotated(case: Case, recipe: Recipe) -> str:
    """Why there is nothing to learn from a case that may be sound otherwise; "" if there is."""
    if recipe.table is None:
        return ""
    if annotation_file(case, recipe.annotation) is None:
        return f"The case {case.name} has no labels. Add its label file, or leave the case out."
    if recipe.slices is not None and case.name not in recipe.slices:
        return f"No slice of {case.name} is listed as annotated. List some in the table of annotated slices."
    return ""


def _prepare_one(case: Case, folder: Path, recipe: Recipe) -> Outcome:
    image_stem = folder / stem_of(case, case.images, *_as_dicts(recipe.grid, recipe.intensities))
    source = annotation_file(case, recipe.annotation) if recipe.table else None
    facts = read_facts(image_stem) or _make_image(case, image_stem, recipe)
    working, original = (Geometry.from_lists(*facts[key]) for key in ("working", "original"))
    images = open_array(array_file(image_stem))
    regions = _regions(case, images, working, folder, recipe) if recipe.regions else None
    prepared = PreparedCase(case.name, case.patient, images, None, working, original, regions)
    outcome = Outcome(case, prepared, facts["modality"], facts["checksum"], tuple(facts["notes"]))
    return _with_labels(outcome, prepared, source, folder, recipe) if source else outcome


@functools.lru_cache(maxsize=4)  # each case asks for the same
def _as_dicts(grid: WorkingGrid, intensities: Intensities) -> tuple[dict[str, Any], dict[str, Any]]:
    return asdict(grid), asdict(intensities)


def _with_labels(
    outcome: Outcome, prepared: PreparedCase, source: Path, folder: Path, recipe: Recipe
) -> Outcome:
    """The outcome with the class index of each voxel, IGNORE_LABEL where nothing is annotated."""
    case, table = outcome.case, recipe.table
    only = recipe.slices[case.name] if recipe.slices is not None else None
    asked = (table.to_json() if table else None, recipe.annotation, recipe.outside_is_background, only)
    grid, _ = _as_dicts(recipe.grid, recipe.intensities)
    stem = folder / stem_of(case, (*case.images, *label_files(source)), grid, asked)
    facts = read_facts(stem) or _make_labels(case, source, stem, prepared, recipe, only)
    known = facts["annotation"]
    annotation = Annotation(**{**known, "classes": tuple(known["classes"])})
    labels = open_array(array_file(stem), facts.get("classes_of_slices"))
    return replace(
        outcome,
        prepared=replace(prepared, labels=labels, annotation=annotation.kind),
        notes=(*outcome.notes, *facts["notes"]),
        annotation=annotation,
    )


def _make_image(case: Case, stem: Path, recipe: Recipe) -> dict[str, Any]:
    read = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels)
    working, modality = prepare(read.volume, recipe.grid, recipe.intensities)
    asked = "auto" if recipe.intensities.window else recipe.intensities.modality
    facts = {
        "modality": modality,
        "checksum": checksum(case.images),
        "notes": [*read.notes, *gray_notes(read.volume.array, asked)],
        "working": _plain(working.geometry),
        "original": _plain(read.volume.geometry),
    }
    store(stem, working.array, facts)
    return facts


def _make_labels(
    case: Case, source: Path, stem: Path, prepared: PreparedCase, recipe: Recipe, only: Sequence[int] | None
) -> dict[str, Any]:
    table = recipe.table or LabelTable(())
    marks = read_annotation_mask(source, case, table, prepared.original, plane=recipe.grid.plane)
    try:
        known, annotation = annotated_voxels(
            marks, recipe.annotation, only, outside_is_background=recipe.outside_is_background
        )
    except BadFile as error:
        raise BadFile(f"{source}: {error.what}", error.remedy) from error
    array = prepare_labels(known, prepared.working).array
    if (
        annotation.kind == "cases" and annotation.share == 1
    ):  # the working grid may reach half a voxel beyond the image
        array = np.maximum(array, 1)
    array = array - 1  # 0, unknown, becomes IGNORE_LABEL
    facts = {
        "notes": list(marks.notes),
        "annotation": asdict(annotation),
        "classes_of_slices": count_classes(array),
    }
    store(stem, array, facts)
    return facts


def _regions(
    case: Case, images: npt.NDArray[Any], working: Geometry, folder: Path, recipe: Recipe
) -> npt.NDArray[Any]:
    how = _as_dicts(recipe.grid, recipe.intensities)
    stem = folder / stem_of(case, case.images, *how, REGIONS_PER_PATCH, COMPACTNESS)
    if read_facts(stem) is None:
        size = images.shape[-len(recipe.grid.patch) :]
        segments = max(2, round(REGIONS_PER_PATCH * np.prod(size) / np.prod(recipe.grid.patch)))
        found = (
            regions_of_slices(images, segments)
            if len(recipe.grid.patch) == 2
            else regions_of(images, segments, spacing=working.spacing_khw)
        )
        store(stem, found, {})
    return open_array(array_file(stem))


def collect_table(
    cases: Sequence[Case], known: LabelTable | None = None, annotation: str = "auto"
) -> LabelTable:
    """The one label table of a folder: the one that came with it, or all structures of all its label files.

    A label file that cannot be read adds nothing here; its case is left out, with the reason, when it is
    prepared.

    Raises:
        BadFolder: There is no structure, but label files that could not be read.
    """
    if known is not None:
        return known
    with _threads() as pool:
        answers = list(pool.map(lambda case: _table_or_reason(case, annotation), cases))
    found = [answer for answer in answers if answer is not None]
    tables = [one for one in found if isinstance(one, LabelTable)]
    for note in spelling_notes(name for one in tables for name in one.names):
        LOGGER.warning("%s", note)
    table = LabelTable.merged(*tables)
    reasons = [one for one in found if isinstance(one, str)]
    if reasons and not table.structures:
        raise BadFolder(
            f"No structure was found: {len(reasons)} of {len(found)} label files cannot be used. "
            + " ".join(f"({n}) {reason}" for n, reason in enumerate(reasons[:SHOWN_REASONS], start=1)),
            "Correct these files. See with `python -m ContrastiveSegLib scan FOLDER` what else is wrong.",
        )
    return table


def _table_or_reason(case: Case, annotation: str) -> LabelTable | str | None:
    path = annotation_file(case, annotation)
    if path is None:
        return None
    table, reason = attempt(case.name, _table_of, path, case)
    return reason if table is None else table


def _table_of(path: Path, case: Case) -> LabelTable:
    """The structures of a label file; those of a folder with one file for each follow from the names."""
    if not path.is_dir():
        return read_annotation(path, case).table
    named = structure_table(label_files(path)).structures
    return LabelTable(tuple(one for one in named if not same_name(one.name, BACKGROUND)))


def _plain(geometry: Geometry) -> list[list[float]]:
    return [list(geometry.size), list(geometry.spacing), list(geometry.origin), list(geometry.direction)]
