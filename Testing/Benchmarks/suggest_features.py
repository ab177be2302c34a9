"""What the features behind `suggest` know: about structures, and about which draws teach well.

    python Testing/Benchmarks/suggest_features.py DATA RUN ROWS.csv

Needs a run and the rows of Testing/Benchmarks/suggest.py. First, without any training: how well the areas of
the structures in a slice follow from its five most similar slices of other patients (R²; the patients that
are evaluated on are left out). Then, over the random draws of patients: the rank correlation of Dice and how
near the evaluated cases are to the annotated ones.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr

from ContrastiveSegLib.active_learning.features import case_feature, comparable, slice_features
from ContrastiveSegLib.active_learning.representatives import nearest
from ContrastiveSegLib.inference.sliding_window import SIDE_MULTIPLE
from ContrastiveSegLib.jobs.suggest import _encoder
from ContrastiveSegLib.preprocessing.prepared_cache import collect_table, prepare_cases
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.settings.job_settings import CaseSelection
from ContrastiveSegLib.training.data import find_readable_cases

NEIGHBORS = 5

Array = npt.NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("run", type=Path, help="run folder with the pre-training")
    parser.add_argument("rows", type=Path, help="rows of the benchmark")
    options = parser.parse_args()
    with options.rows.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["unit"] == "patients"]
    unseen = set(json.loads(rows[0]["dice_of_patients"]))
    run = RunFolder(options.run)
    compute = Compute(torch.device("cpu"), "float32")
    eye = _encoder(ModelFolder(run.pretrain), compute)
    found = find_readable_cases(options.data, CaseSelection())
    recipe = replace(eye.recipe, table=collect_table(found.cases, found.listing.table), annotation="cases")
    cases = [o.prepared for o in prepare_cases(found.cases, run.prepared, recipe) if o.prepared]
    seen = [case for case in cases if case.patient not in unseen]
    largest = np.max([case.shape[1:] for case in cases], axis=0)
    whole = tuple(int(-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE) for side in largest)
    for name, patch in (("middle", eye.recipe.grid.patch), ("whole slice", whole)):
        features = [slice_features(eye.network, case.images, patch, compute.device) for case in seen]
        print(f"{name}: R² of the areas {_explained(np.concatenate(comparable(features)), seen)}", flush=True)
    patch = eye.recipe.grid.patch
    _correlate(
        cases, [slice_features(eye.network, c.images, patch, compute.device) for c in cases], rows, unseen
    )


def _explained(features: Array, cases: list[PreparedCase]) -> Array:
    """R² of each structure's area, from the most similar slices of other patients."""
    patients = np.repeat([case.patient for case in cases], [case.shape[0] for case in cases])
    labels = [np.asarray(case.label_map) for case in cases]
    classes = range(1, max(int(array.max()) for array in labels) + 1)
    areas = np.concatenate([np.stack([(a == c).sum((1, 2)) for c in classes], 1) for a in labels])
    squares = (features**2).sum(1)
    apart = squares[:, None] + squares - 2 * features @ features.T  # squared, which keeps the order
    apart[patients[:, None] == patients] = np.inf
    guess = areas[np.argsort(apart, axis=1)[:, :NEIGHBORS]].mean(1)
    return (1 - ((guess - areas) ** 2).sum(0) / ((areas - areas.mean(0)) ** 2).sum(0)).round(2)


def _correlate(
    cases: list[PreparedCase], features: list[Array], rows: list[dict[str, str]], unseen: set[str]
) -> None:
    vectors = np.stack([case_feature(each) for each in comparable(features)])
    patients = np.array([case.patient for case in cases])
    judged = vectors[np.isin(patients, list(unseen))]
    pairs = []
    for row in rows:
        annotated = vectors[np.isin(patients, row["chosen"].split("; "))]
        pairs.append((row["choice"], float(row["dice"]), float(nearest(judged, annotated)[0].mean())))
        print("{}: Dice {:.3f}, mean distance to the nearest annotated case {:.3f}".format(*pairs[-1]))
    random = [pair[1:] for pair in pairs if pair[0] == "random"]
    found = spearmanr(*zip(*random, strict=True))
    print(f"{len(random)} random draws: rank correlation {found.statistic:.2f} (p = {found.pvalue:.2f})")


if __name__ == "__main__":
    main()
