"""Which slices are annotated already: in a folder, and in what the latest round learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.annotations import annotation_file
from ContrastiveSegLib.dataset.slice_table import read_annotated_slices
from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe, collect_table
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import CaseSelection, FinetuneSettings
from ContrastiveSegLib.training.data import Found, find_readable_cases
from ContrastiveSegLib.training.preparing import prepare_all


@dataclass(frozen=True)
class Source:
    """A folder with annotations, and what counts in it.

    Args:
        annotation: "cases", "slices", "scribbles", or "auto".
        slices: Table of the slices that count, if there is one.
    """

    folder: Path
    cases: CaseSelection
    annotation: str = "auto"
    slices: Path | None = None

    @classmethod
    def of_round(cls, settings: FinetuneSettings) -> Source:
        """What a round of fine-tuning learned from."""
        return cls(settings.labeled, settings.cases, settings.annotation, settings.annotated_slices)


def find_annotated(source: Source, folder: Path, recipe: Recipe, reporter: Reporter) -> dict[str, Outcome]:
    """The annotated cases of a folder by name, prepared with their labels.

    Args:
        folder: Where prepared cases live.
        recipe: Of the images.

    Raises:
        BadFile: The table of slices cannot be read.
        BadFolder: No case there has annotations that can be used.
    """
    found = find_readable_cases(source.folder, source.cases, prepared=folder)
    kept = _with_annotations(found, source)
    table = collect_table(kept.cases, kept.listing.table, source.annotation)
    with_labels = replace(
        recipe,
        table=table,
        annotation=source.annotation,
        slices=read_annotated_slices(source.slices) if source.slices else None,
    )
    outcomes = prepare_all(kept, folder, with_labels, reporter)
    return {outcome.case.name: outcome for outcome in outcomes if outcome.prepared}


def find_annotated_or_warn(
    source: Source, folder: Path, recipe: Recipe, reporter: Reporter
) -> dict[str, Outcome]:
    """The same for an earlier round, whose folder may have been moved since."""
    try:
        return find_annotated(source, folder, recipe, reporter)
    except (BadFile, BadFolder) as error:
        reporter.warn(f"What the latest round learned from does not count as annotated: {error}")
        return {}


def annotated_slices(outcome: Outcome | None, slices: int) -> npt.NDArray[np.bool_]:
    """(slices,) those with an annotated voxel."""
    if outcome is None or outcome.prepared is None:
        return np.zeros(slices, bool)
    return np.asarray((outcome.prepared.label_map >= 0).any(axis=(1, 2)), bool)


def _with_annotations(found: Found, source: Source) -> Found:
    """Only the cases with an annotation: a folder may hold many images and few labels."""
    pairs: Sequence[tuple[object, ...]] = [
        (case, geometry)
        for case, geometry in zip(found.cases, found.geometries, strict=True)
        if annotation_file(case, source.annotation)
    ]
    if not pairs:
        raise BadFolder(
            f"None of the {len(found.cases)} cases in {source.folder} has labels.",
            "Name the folder with what is annotated, or leave --labeled out if nothing is.",
        )
    cases, geometries = zip(*pairs, strict=True)
    return replace(found, cases=cases, geometries=geometries)
