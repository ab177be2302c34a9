"""What is annotated, said before training starts; refused where nothing can be learned from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.slice_table import read_annotated_slices
from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.imaging.label_values import BACKGROUND, IGNORE_LABEL
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import CaseSelection, FinetuneSettings
from ContrastiveSegLib.training.data import Found

WORDS = {"cases": "whole cases", "slices": "cases with annotated slices", "scribbles": "cases with scribbles"}


def check_annotations(
    outcomes: Sequence[Outcome],
    table: LabelTable,
    batch: int,
    reporter: Reporter,
    *,
    made_for: Sequence[str],
    outside_is_background: bool = False,
) -> None:
    """Say what was found, and warn of what will learn badly.

    Args:
        batch: Images per step.
        made_for: Kinds of annotation that the strategy learns from.
        outside_is_background: Whether lines of scribbled background were said to outline the structures.

    Raises:
        BadFolder: Only one class is annotated, so that nothing can be told apart.
    """
    found = [outcome.annotation for outcome in outcomes if outcome.prepared and outcome.annotation]
    kinds = Counter(annotation.kind for annotation in found)
    slices = sum(annotation.slices for annotation in found)
    listed = ", ".join(f"{count} {WORDS[kind]}" for kind, count in sorted(kinds.items()))
    reporter.info(f"Annotated: {listed}; {slices} slices in all.")
    names = {0: BACKGROUND, **dict(enumerate(table.names, start=1))}
    seen = {index for annotation in found for index in annotation.classes}
    if len(seen) < 2:
        raise _one_class(names[min(seen, default=0)])
    missing = [index for index in names if index not in seen]
    reporter.warn_all(
        [f'"{names[index]}" is not annotated anywhere: {_advice(index)}' for index in missing]
        + _of_kinds(kinds, made_for)
        + _of_outlines(kinds, outside_is_background)
        + _of_few_slices(slices, batch)
    )


def listed_slices(found: Found, settings: FinetuneSettings) -> dict[str, tuple[int, ...]] | None:
    """The slices that the user's table lists, for each case it names; None without a table.

    Raises:
        BadFile: The table cannot be used, or names a case that is not there.
    """
    if settings.annotated_slices is None:
        return None
    listed = read_annotated_slices(settings.annotated_slices)
    unknown = sorted(set(listed) - {case.name for case in found.cases})
    if unknown and settings.cases == CaseSelection():
        raise BadFile(
            f"{settings.annotated_slices} names the case {unknown[0]}, which is not in {settings.labeled}.",
            f"Use the names of the cases, such as {found.cases[0].name}.",
        )
    return listed


def maps_of_components(training: Sequence[PreparedCase]) -> Iterator[npt.NDArray[Any]]:
    """Label maps (K, H, W) that show structures as they are: whole cases, or annotated slices one by one."""
    for case in training:
        if case.annotation == "cases":
            yield case.label_map
        elif case.annotation == "slices":
            # Copies, because a part of an array on disk would keep its file open.
            yield from (np.array(labels[None]) for labels in case.label_map if (labels != IGNORE_LABEL).any())


def _one_class(name: str) -> BadFolder:
    return BadFolder(
        f'Only "{name}" is annotated, so there is nothing to tell it from.',
        f'Draw the other structures too, and paint background as a segment called "{BACKGROUND}".',
    )


def _advice(index: int) -> str:
    if index == 0:
        return f'paint some as a segment called "{BACKGROUND}", or every voxel will be given to a structure.'
    return "it cannot be learned. Draw it in at least one case, or delete its segment."


def _of_kinds(kinds: Counter[str], made_for: Sequence[str]) -> list[str]:
    odd = [kind for kind in kinds if kind not in made_for]
    if "scribbles" in odd:
        return [
            "Scribbles were found, but this strategy needs whole slices. Choose --strategy pclmix or "
            "partial_ce, or say --annotation cases if these are complete labels."
        ]
    return [f"This strategy is not made for {WORDS[kind]}." for kind in odd]


def _of_outlines(kinds: Counter[str], outside_is_background: bool) -> list[str]:
    useless = outside_is_background and not kinds["scribbles"]
    return ["--outside-is-background changes nothing: no case has scribbles."] if useless else []


def _of_few_slices(slices: int, batch: int) -> list[str]:
    if slices >= batch:
        return []
    return [
        f"Only {slices} slices are annotated, fewer than the {batch} of a step: each step sees some of them "
        f"several times. Annotate more, or choose --batch {max(slices, 2)}."
    ]
