"""Cases that were annotated in part, completed: what was drawn stays, a network predicts the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ContrastiveSegLib.disk import make_folder
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.postprocessing.spatial_prior import Places, keep_likely
from ContrastiveSegLib.preprocessing.array_store import array_file, read_facts, store
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.stored_array import count_classes, open_array
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.training.teacher import Teacher


def complete(
    cases: Sequence[PreparedCase], teacher: Teacher, places: Places, folder: Path, reporter: Reporter
) -> dict[int, PreparedCase]:
    """The cases with some slices or with scribbles, by number, every voxel labeled.

    A case that comes again with further annotations has the same name, so the name does not tell them apart.

    A case that cannot be predicted is not among them, and the user is told why.

    Args:
        places: Where the structures usually lie, to keep the likely components of the predictions.
        folder: Where their labels are kept; what is there already is taken.

    Raises:
        CannotWrite: The disk is full.
    """
    make_folder(folder)
    completed = {}
    for n, case in enumerate(cases):
        if case.annotation not in ("slices", "scribbles"):
            continue
        done, reason = attempt(case.name, _complete_one, case, teacher, places, folder / f"drawn-{n:05d}")
        if done is None:
            reporter.warn(f"{case.name} teaches with what was drawn alone: {reason}")
        else:
            completed[n] = done
    return completed


def _complete_one(case: PreparedCase, teacher: Teacher, places: Places, stem: Path) -> PreparedCase:
    facts = read_facts(stem)
    if facts is None or facts["case"] != case.name:
        predicted = keep_likely(teacher.predict(case)[0], teacher.components, places, case.working)
        drawn = np.asarray(case.label_map)
        labels = np.where(drawn == IGNORE_LABEL, predicted, drawn).astype(drawn.dtype)
        facts = {"case": case.name, "classes_of_slices": count_classes(labels)}
        store(stem, labels, facts)
    labels = open_array(array_file(stem), facts["classes_of_slices"])
    return replace(case, labels=labels, annotation="cases")
