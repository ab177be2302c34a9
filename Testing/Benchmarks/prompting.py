"""Refining coarsened masks, and carrying one slice through the volume, with real weights on ACDC.

    cd Testing/Benchmarks
    python prompting.py refine DATA OUTPUT --results results/acdc-refine
    python prompting.py propagate DATA OUTPUT --results results/acdc-propagate

--model and --checkpoint choose the promptable model. A benchmark that was interrupted goes on where it was;
what the image encoder made of a slice is kept in OUTPUT, so that a second run costs minutes. LiteMedSAM was
trained on many public medical images, probably those of ACDC among them: its figures show that the way
through the program is right, not how it does on images it has never seen.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from coarse_masks import LEFT, RIGHT, WALL, coarsened
from one_slice_carried import carry
from scipy import stats

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.evaluation.report import EvaluationReport
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.jobs import propagate, refine
from ContrastiveSegLib.jobs.evaluate import evaluate
from ContrastiveSegLib.sam._frame import Frame
from ContrastiveSegLib.sam._sam_network import Encoded
from ContrastiveSegLib.settings.job_settings import CaseSelection, Compute, RefineSettings
from ContrastiveSegLib.settings.prompting_settings import PromptableSettings

TABLE = LabelTable(
    (
        Structure(RIGHT, "right ventricle", (0.3, 0.6, 1.0)),
        Structure(WALL, "myocardium", (0.3, 0.9, 0.3)),
        Structure(LEFT, "left ventricle", (1.0, 0.4, 0.3)),
    )
)
# Twenty patients that no rule or number of the promptable models was chosen on.
UNSEEN = (2, 8, 9, 11, 12, 17, 19, 20, 23, 25, 27, 28, 30, 31, 32, 33, 35, 37, 38, 40)


def main() -> None:
    options = _options()
    options.output.mkdir(parents=True, exist_ok=True)
    chosen = tuple(f"patient{n:03d}{options.frames}" for n in options.patients)
    for job_with_model in (refine, propagate):
        job_with_model.load_family = _remembering(job_with_model.load_family, options.output / "encoded")
    cases = [case for case in find_cases(options.data, only=chosen).cases if case.labels]
    truth = options.output / "truth"
    for case in cases:
        _once(truth / f"{case.name}.seg.nrrd", partial(_labels, case))
    job = _refine if options.job == "refine" else _propagate
    job(options, cases, truth)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=["refine", "propagate"])
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("output", type=Path, help="folder for labels")
    parser.add_argument("--results", type=Path, help="name of the table, without suffix")
    parser.add_argument("--patients", nargs="+", type=int, default=UNSEEN)
    parser.add_argument("--frames", default="*", help="which volumes of a patient, such as _frame01")
    parser.add_argument("--predictions", type=Path, help="refine these, instead of coarsened masks")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--flags", type=json.loads, default={}, help="other settings of the job, as JSON")
    return parser.parse_args()


@dataclass(frozen=True, eq=False)
class Remembering:
    """A PromptableModel that keeps on disk what its encoder made of a slice."""

    model: Any
    folder: Path

    def encode(self, image: npt.NDArray[np.uint8]) -> Encoded:
        path = self.folder / f"{hashlib.sha256(image.tobytes()).hexdigest()[:24]}.npy"
        if path.exists():
            frame = Frame((image.shape[0], image.shape[1]), self.model.side, keeps_shape=True)
            return Encoded(torch.from_numpy(np.load(path).astype(np.float32)), frame)
        encoded: Encoded = self.model.encode(image)
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.npy")
        np.save(temporary, encoded.features.numpy().astype(np.float16))
        temporary.replace(path)
        return encoded

    def predict(self, encoded: Encoded, prompts: Any) -> Any:
        return self.model.predict(encoded, prompts)


def _remembering(load: Any, folder: Path) -> Any:
    def load_once(family: Any, *arguments: Any, **named: Any) -> Any:
        model, weights = load(family, *arguments, **named)
        return Remembering(model, folder / family.name), weights

    return load_once


def _coarse(predictions: Path | None, case: Case, generator: np.random.Generator) -> Volume:
    if predictions is None:
        return coarsened(_labels(case), generator)
    return read_labels(predictions / f"{case.name}.seg.nrrd").volume


def _refine(options: argparse.Namespace, cases: list[Case], truth: Path) -> None:
    coarse = options.output / "coarse"
    for number, case in enumerate(cases):
        generator = np.random.default_rng(number)
        _once(coarse / f"{case.name}.seg.nrrd", partial(_coarse, options.predictions, case, generator))
    refined = options.output / f"refined-{options.model}"
    names = tuple(case.name for case in cases)
    began = time.perf_counter()
    refine.run(
        RefineSettings(
            images=options.data,
            predictions=coarse,
            output=refined,
            promptable=PromptableSettings(model=options.model, checkpoint=options.checkpoint),
            cases=CaseSelection(only=names),
            compute=Compute(threads=1),
            **options.flags,
        )
    )
    seconds = time.perf_counter() - began
    reports = {"coarse": _evaluated(coarse, truth, names), "refined": _evaluated(refined, truth, names)}
    text = _difference(reports) + f"\n{len(cases)} volumes in {seconds:.0f} s; {_outcomes(refined)}\n"
    print(text)
    if options.results:
        options.results.with_suffix(".md").write_text(text, encoding="utf-8")
        _write_rows(options.results.with_suffix(".csv"), reports)


def _propagate(options: argparse.Namespace, cases: list[Case], truth: Path) -> None:
    results = options.output / f"propagated-{options.model}"
    ends: list[dict[str, Any]] = []
    for case in cases:
        labels = _labels(case)
        shown = np.flatnonzero((labels.array == LEFT).any(axis=(1, 2)))
        key = int(shown[len(shown) // 2])
        target = results / f"{case.name}.seg.nrrd"
        carry(
            case,
            labels,
            TABLE,
            key,
            options.output / "annotated" / f"{case.name}.seg.nrrd",
            target,
            promptable=PromptableSettings(model=options.model, checkpoint=options.checkpoint),
            compute=Compute(threads=1),
            **options.flags,
        )
        ends += list(_ends(case.name, read_labels(target, TABLE).volume.array, labels.array, key))
    names = tuple(case.name for case in cases)
    report = _evaluated(results, truth, names)
    text = _propagation_table(report, ends)
    print(text)
    if options.results:
        options.results.with_suffix(".md").write_text(text, encoding="utf-8")
        _write_rows(options.results.with_suffix(".csv"), {"propagated": report})


def _ends(name: str, found: npt.NDArray[Any], true: npt.NDArray[Any], key: int) -> Iterator[dict[str, Any]]:
    """By how many slices each end of each structure is missed; positive: too far from the annotated slice."""
    for structure in TABLE.structures:
        here, there = (np.flatnonzero((a == structure.value).any(axis=(1, 2))) for a in (found, true))
        if len(there) and structure.value in true[key]:
            for side, error in (("first", there[0] - here[0]), ("last", here[-1] - there[-1])):
                yield {"case": name, "structure": structure.name, "side": side, "error": int(error)}


def _labels(case: Case) -> Volume:
    return read_labels(case.labels or Path(), None).volume


def _once(path: Path, make: Any) -> None:
    if not path.exists():
        write_labels(path, make(), TABLE)


def _evaluated(predictions: Path, truth: Path, names: tuple[str, ...]) -> EvaluationReport:
    return evaluate(predictions, truth, selection=CaseSelection(only=names))


def _per_patient(report: EvaluationReport, structure: str, figure: str = "dice") -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for row in report.rows:
        value = getattr(row.metrics, figure)
        if row.structure == structure and value is not None and np.isfinite(value):
            values[row.patient].append(value)
    return {patient: float(np.mean(found)) for patient, found in values.items()}


def _difference(reports: dict[str, EvaluationReport]) -> str:
    """Before and after, mean over patients, and the paired difference with its 95 % interval."""
    head = "| structure | coarse Dice | refined Dice | difference [95 % interval] | HD95 mm |"
    lines = [head, "|---" * 5 + "|"]
    for name in TABLE.names:
        before, after = (_per_patient(reports[which], name) for which in ("coarse", "refined"))
        far = [_mean(_per_patient(reports[which], name, "hd95_mm")) for which in ("coarse", "refined")]
        change = [after[p] - before[p] for p in before]
        half = stats.sem(change) * stats.t.ppf(0.975, len(change) - 1) if len(change) > 1 else np.nan
        mean = np.mean(change)
        lines.append(
            f"| {name} | {_mean(before):.3f} | {_mean(after):.3f} "
            f"| {mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}] | {far[0]:.1f} to {far[1]:.1f} |"
        )
    return "\n".join([*lines, ""])


def _outcomes(folder: Path) -> str:
    """How many pieces were accepted, from the reports beside the labels."""
    count: dict[str, int] = defaultdict(int)
    for path in folder.glob("*_refine.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                count[f"{row['structure']} {row['outcome']}"] += 1
    return ", ".join(f"{name} {number}" for name, number in sorted(count.items()))


def _propagation_table(report: EvaluationReport, ends: list[dict[str, Any]]) -> str:
    head = "| structure | volume Dice ± sd over patients | HD95 mm | ends within 2 slices | slices too far |"
    lines = [head, "|---" * 5 + "|"]
    for name in TABLE.names:
        dice = list(_per_patient(report, name).values())
        far = _mean(_per_patient(report, name, "hd95_mm"))
        errors = np.array([end["error"] for end in ends if end["structure"] == name])
        spread = np.std(dice, ddof=1) if len(dice) > 1 else 0
        near = f"{np.mean(np.abs(errors) <= 2):.0%} of {len(errors)}"
        lines.append(
            f"| {name} | {np.mean(dice):.3f} ± {spread:.3f} | {far:.1f} | {near} | {errors.mean():+.1f} |"
        )
    return "\n".join([*lines, ""])


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values())))


def _write_rows(path: Path, reports: dict[str, EvaluationReport]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["labels", "case", "patient", "structure", "dice", "hd95_mm"])
        for which, report in reports.items():
            for row in report.rows:
                figures = (row.metrics.dice, row.metrics.hd95_mm)
                shown = ["" if value is None else f"{value:.4f}" for value in figures]
                rows.writerow([which, row.case, row.patient, row.structure, *shown])


if __name__ == "__main__":
    main()
