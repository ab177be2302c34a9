"""What a network predicts for cases that nobody annotated, cleaned, so that it can teach the next network."""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.disk import make_folder
from ContrastiveSegLib.distributed.coordination import wait_for_all
from ContrastiveSegLib.distributed.processes import is_first
from ContrastiveSegLib.distributed.work_division import own_cases
from ContrastiveSegLib.errors import Cancelled, CannotWrite
from ContrastiveSegLib.evaluation.outliers import find_outliers
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.imaging.structure_sizes import COLUMN, ROW, SLICE, sizes_of
from ContrastiveSegLib.postprocessing.confidence import (
    certain,
    count_levels,
    lowest_levels,
    used_shares,
)
from ContrastiveSegLib.postprocessing.connected_components import Group
from ContrastiveSegLib.postprocessing.spatial_prior import (
    Component,
    Places,
    UsualPosition,
    annotated_position,
    find_components,
    keep_likely,
    usual_position,
)
from ContrastiveSegLib.preprocessing.array_store import array_file, read_facts, store
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.stored_array import count_classes, open_array
from ContrastiveSegLib.runs.atomic_write import write_atomically
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.training.teacher import Teacher

BYTES_PER_VOXEL = 4  # class and confidence as they are predicted, and what is left of them as int16
AGREEMENT = "agreement with the round before"
# Differences between cases that are nothing to speak of: a factor of 1.35 of a volume, mm, parts of a stack.
SMALLEST_SPREAD = {ROW: 8.0, COLUMN: 8.0, SLICE: 0.06, AGREEMENT: 0.03}
SMALLEST_SPREAD_OF_VOLUMES = 0.3
# Where at most this share of the cases lacks a structure, those are odd.
RARELY = 0.1
VANISHED = 0.05  # of the mean volume in the annotated cases
SMALLEST_SHARE = 0.02
LEAST_LEFT_OUT = 0.05  # of the share that shall stay unknown


@dataclass(frozen=True)
class PseudoLabels:
    """Cases whose labels were predicted.

    Args:
        cases: Those that teach; IGNORE_LABEL where the prediction is not certain.
        used_share: Structure to the share of its voxels, in all predicted cases, that teach.
        left_out: Case to the reason why it does not teach.
        trouble: Why a network must not learn from them; empty if it may.
        places: Where the structures usually lie, as these cases agree.
    """

    cases: tuple[PreparedCase, ...]
    used_share: dict[str, float]
    left_out: dict[str, str]
    trouble: str = ""
    places: Places = field(default_factory=dict)


def check_space(cases: Sequence[PreparedCase], folder: Path, *, rounds: int = 1) -> None:
    """Refuse to begin what the disk cannot hold; what an interrupted job wrote there is not needed again.

    Raises:
        CannotWrite: It is too small.
    """
    make_folder(folder)
    needed = rounds * BYTES_PER_VOXEL * sum(math.prod(case.shape) for case in cases)
    needed -= sum(file.stat().st_size for file in folder.glob("**/pseudo_labels/*"))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CannotWrite(
            f"The predictions of {len(cases)} scans that nobody annotated need {needed / 2**20:.0f} MB more "
            f"in {folder}, but only {free / 2**20:.0f} MB are free.",
            "Free some space, choose a run folder on another disk, or give --unlabeled none.",
        )


def predict_all(cases: Sequence[PreparedCase], teacher: Teacher, folder: Path, reporter: Reporter) -> None:
    """Predict every case into the folder, shared out over the processes; those that are there already stay.

    Raises:
        Cancelled: The user asked to stop; what is done stays.
        CannotWrite: The disk is full.
        ProcessLost: Another process has failed.
    """
    make_folder(folder)
    share = own_cases([math.prod(case.shape) for case in cases])
    for done, n in enumerate(share):
        if reporter.cancelled():
            raise Cancelled(
                f"Fine-tuning was cancelled after {done} of {len(share)} scans without annotation were "
                "predicted; everything is saved.",
                "Start it again to go on.",
            )
        if (read_facts(_stem(folder, n)) or {}).get("case") != cases[n].name:
            _predict_one(cases[n], teacher, _stem(folder, n))
        reporter.log_event("predicted", case=cases[n].name, done=done + 1, of=len(share))
    wait_for_all()


def _predict_one(case: PreparedCase, teacher: Teacher, stem: Path) -> None:
    """Predict a case; of one that cannot be predicted the reason is kept, and nothing in it is found."""
    predicted, reason = attempt(case.name, teacher.predict, case)
    labels, levels = predicted or (np.zeros(case.shape, np.int64), np.zeros(case.shape, np.uint8))
    components = [find_components(labels, group, case.working) for group in teacher.components]
    facts = {
        "case": case.name,
        "reason": reason,
        "components": [[asdict(p) for p in each] for each in components],
    }
    kind = np.uint8 if len(teacher.names) < 256 else np.uint16
    store(stem, np.stack([labels.astype(kind), levels.astype(kind)]), facts)


def choose(
    cases: Sequence[PreparedCase],
    folder: Path,
    teacher: Teacher,
    *,
    unknown: float,
    annotated: Sequence[PreparedCase],
    before: Path | None = None,
) -> PseudoLabels:
    """Leave out the outliers among the predicted cases, and voxels that are not certain.

    Args:
        unknown: Share of each structure's voxels that stay unknown.
        annotated: What a person drew, to see whether a structure vanished.
        before: Folder of the predictions of the round before, to see where two networks agree.
    """
    names, places = teacher.names, _places(folder, len(cases), teacher.components, annotated)
    figures, counts_of = [], []
    for n, case in enumerate(cases):
        labels, levels = _cleaned(folder, n, case, teacher.components, places)
        figure = sizes_of(labels, names, case.working)
        figures.append({**figure, AGREEMENT: _agreement(folder, before, n) if before else math.nan})
        counts_of.append(count_levels(labels, levels, len(names) + 1))
    odd = _odd(figures, names)
    failed = [(read_facts(_stem(folder, n)) or {}).get("reason", "") for n in range(len(cases))]
    teaching = [n for n in range(len(cases)) if not (failed[n] or odd[n])]
    left_out = {cases[n].name: failed[n] or _reason(odd[n]) for n in range(len(cases)) if n not in teaching}
    if not teaching:
        return PseudoLabels((), {}, left_out, "no prediction is like the others")
    counts = np.array([counts_of[n] for n in teaching], np.int64).sum(axis=0)
    lowest = lowest_levels(counts, unknown)
    shares = used_shares(counts, lowest, np.array(counts_of, np.int64).sum(axis=0))
    used_share = dict(zip(names, map(float, shares[1:]), strict=True))
    trouble = _trouble(counts, used_share, [cases[n] for n in teaching], annotated)
    trouble = trouble or (_equally_certain(counts, lowest, names, unknown) if unknown else "")
    taught = tuple(_with_labels(cases[n], folder, n, lowest) for n in teaching)
    return PseudoLabels(taught, used_share, left_out, trouble, places)


def write_table(path: Path, cases: Sequence[PreparedCase], labels: PseudoLabels) -> None:
    """Which case teaches, and why the others do not."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["case", "teaches", "reason"])
    for case in cases:
        reason = labels.left_out.get(case.name, "")
        table.writerow([case.name, "no" if reason else "yes", reason])
    write_atomically(path, text.getvalue())


def _stem(folder: Path, n: int) -> Path:
    """By number: names of cases may be too long, or equal but for their letters' size."""
    return folder / f"{n:05d}"


def _places(
    folder: Path, count: int, groups: Sequence[Group], annotated: Sequence[PreparedCase]
) -> dict[Group, UsualPosition]:
    """Where each group usually lies; without those about which the scans do not agree."""
    facts = [read_facts(_stem(folder, n)) or {} for n in range(count)]
    places = {}
    for index, group in enumerate(groups):
        found = [_components(fact, index) for fact in facts]
        drawn = annotated_position(((case.label_map, case.working) for case in annotated), group)
        usual = usual_position(found, drawn) if drawn else None
        if usual:
            places[group] = usual
    return places


def _components(facts: dict[str, Any], group: int) -> list[Component]:
    """Of one group in a scan; a round that began with version 0.1 wrote them under another name."""
    written = facts.get("components", facts.get("pieces", ()))
    return [Component(one["share"], tuple(one["at"])) for one in written[group]]


def _cleaned(
    folder: Path, n: int, case: PreparedCase, groups: Sequence[Group], places: Places
) -> npt.NDArray[Any]:
    """Classes and levels (2, K, H, W) with one component of each group; written back for the next round."""
    labels, levels = predicted = np.load(array_file(_stem(folder, n)))
    kept = keep_likely(labels, groups, places, case.working)
    if (kept != labels).any() and is_first():
        predicted = np.stack([kept, levels]).astype(predicted.dtype)
        store(_stem(folder, n), predicted, read_facts(_stem(folder, n)) or {})
    return predicted


def _with_labels(case: PreparedCase, folder: Path, n: int, lowest: npt.NDArray[np.int64]) -> PreparedCase:
    labels, levels = np.load(array_file(_stem(folder, n)), mmap_mode="r")
    stem = folder / f"{n:05d}-certain"
    taught = certain(labels, levels, lowest)
    classes = count_classes(taught)
    if is_first():
        store(stem, taught, {"lowest": lowest.tolist(), "classes_of_slices": classes})
    return replace(case, labels=open_array(array_file(stem), classes), annotation="cases")


def _agreement(folder: Path, before: Path, n: int) -> float:
    """Dice of all structures together between this round's prediction of a case and that before."""
    now, then = (np.load(array_file(_stem(f, n)), mmap_mode="r")[0] for f in (folder, before))
    size = int((now > 0).sum() + (then > 0).sum())
    return 2 * float(((now == then) & (now > 0)).sum()) / size if size else math.nan


def _odd(figures: list[dict[str, float]], names: list[str]) -> list[list[str]]:
    volumes = [f"volume of {name}" for name in names]
    smallest = SMALLEST_SPREAD | dict.fromkeys(volumes, SMALLEST_SPREAD_OF_VOLUMES)
    odd = find_outliers(figures, smallest)
    for volume in volumes:
        without = [n for n, figure in enumerate(figures) if math.isnan(figure[volume])]
        if len(without) <= RARELY * len(figures):
            for n in without:
                odd[n].append(volume)
    return odd


def _reason(figures: Sequence[str]) -> str:
    return f"Its prediction is unlike those of the other cases: {', '.join(figures)}."


def _trouble(
    counts: npt.NDArray[np.int64],
    used_share: dict[str, float],
    cases: Sequence[PreparedCase],
    annotated: Sequence[PreparedCase],
) -> str:
    """Why nobody should learn from these labels: a structure vanished, or hardly a voxel of it teaches."""
    voxels = sum(math.prod(case.shape) for case in cases)
    whole = [case for case in annotated if case.annotation == "cases"]
    drawn = np.sum([np.bincount(np.maximum(c.label_map, 0).ravel(), minlength=len(counts)) for c in whole], 0)
    of = sum(math.prod(case.shape) for case in whole)
    for n, (name, share) in enumerate(used_share.items(), start=1):
        predicted = counts[n].sum() / voxels
        usual = drawn[n] / of if whole else 0.0
        if predicted == 0 or predicted < VANISHED * usual:
            return f'"{name}" has nearly vanished from the predictions'
        if share < SMALLEST_SHARE:
            return f'hardly a voxel of "{name}" teaches'
    return ""


def _equally_certain(
    counts: npt.NDArray[np.int64], lowest: npt.NDArray[np.int64], names: Sequence[str], unknown: float
) -> str:
    """Why a share cannot stay unknown: the network is equally certain of all voxels; empty if it is not."""
    for name, share in zip(names, used_shares(counts, lowest)[1:], strict=True):
        if 1 - share < LEAST_LEFT_OUT * unknown:
            return f'the network is equally certain of every voxel of "{name}", so none can be left out'
    return ""
