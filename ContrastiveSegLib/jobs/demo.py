"""Run all steps: learn from scans, fine-tune, predict, and compare with the annotated cases alone."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ContrastiveSegLib.dataset.annotations import read_annotation
from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.evaluation.summary import Spread
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
from ContrastiveSegLib.jobs import evaluate, finetune, predict, pretrain
from ContrastiveSegLib.jobs.evaluate import EvaluationReport
from ContrastiveSegLib.networks.weights import read_model_card
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.pictures.curves import draw_curves
from ContrastiveSegLib.pictures.overview import Shown, draw_overview
from ContrastiveSegLib.preprocessing.prepared_cache import collect_table
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.download import download_decathlon
from ContrastiveSegLib.settings.job_settings import (
    CaseSelection,
    DemoSettings,
    FinetuneSettings,
    GridSettings,
    PredictSettings,
    PretrainSettings,
)

UNLABELED, LABELED, TEST = 24, 2, 6
SHOWN = 3
ROUNDS = 1  # of self-training, so that the demo is soon over
# Phantoms have no fine details: a coarse grid, a narrow network and a small batch do, on any computer.
COARSE: dict[str, Any] = {"grid": GridSettings(spacing=2.5, patch=(64, 64)), "base_channels": 16}
BATCH = 8  # of fine-tuning


@dataclass(frozen=True)
class Demo:
    """Who takes part: patients to learn from, annotated patients, and patients never seen in training."""

    data: Path
    annotated: tuple[str, ...]
    unseen: tuple[str, ...]
    patient_pattern: str
    runs: dict[str, RunFolder]


def run(settings: DemoSettings) -> LostCases:
    """Run all steps and show the results: a table, the predicted files, and two pictures.

    Returns:
        How many of the cases were lost in pre-training.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    demo = _demo(settings, _data(settings))
    lost = pretrain.run(
        PretrainSettings(
            run=demo.runs["pre-trained"].path,
            images=demo.data,
            method=settings.method,
            steps=settings.pretrain_steps,
            seed=settings.seed,
            cases=CaseSelection(leave_out=demo.unseen, patient_pattern=demo.patient_pattern),
            compute=settings.compute,
            **(COARSE if _on_phantoms(settings) else {}),
        )
    )
    reports = {name: _train_and_test(settings, demo, name) for name in demo.runs}
    _show(settings, demo, reports)
    return lost


def _data(settings: DemoSettings) -> Path:
    """The user's folder, a downloaded task, or phantoms drawn on the spot."""
    if settings.data:
        return settings.data
    if settings.dataset:
        return download_decathlon(settings.dataset, settings.folder / "data")
    folder = settings.folder / "data" / f"phantoms-{settings.seed}"
    if not folder.exists():
        _print(f"Drawing {UNLABELED + LABELED + TEST} phantom patients into {folder} ...")
        write_phantom_folder(
            folder, PhantomCounts(unlabeled=UNLABELED, labeled=LABELED, test=TEST), seed=settings.seed
        )
    return folder


def _demo(settings: DemoSettings, data: Path) -> Demo:
    """Draw two annotated and up to six unseen patients from those with labels.

    Raises:
        BadFolder: Fewer than three patients have labels.
    """
    chosen = settings.cases
    listing = find_cases(
        data, only=chosen.only, leave_out=chosen.leave_out, patient_pattern=chosen.patient_pattern
    )
    patients = sorted({case.patient for case in listing.cases if case.labels})
    if len(patients) <= LABELED:
        raise BadFolder(
            f"{data} has {len(patients)} patients with labels; the demo needs {LABELED} to learn from and at "
            "least one more to test on.",
            "Add labeled cases, or start without --data to see the demo on phantoms.",
        )
    # Names are taken as they are, even with a * or [ in them.
    order = [glob.escape(str(name)) for name in np.random.default_rng(settings.seed).permutation(patients)]
    folder = settings.folder / "runs" / f"{data.resolve().name}-{settings.method}-seed{settings.seed}"
    return Demo(
        data,
        annotated=tuple(order[:LABELED]),
        unseen=tuple(order[LABELED : LABELED + TEST]),
        patient_pattern=chosen.patient_pattern,
        runs={name: RunFolder(folder / name) for name in ("scratch", "pre-trained")},
    )


def _on_phantoms(settings: DemoSettings) -> bool:
    return not (settings.data or settings.dataset)


def _train_and_test(settings: DemoSettings, demo: Demo, name: str) -> EvaluationReport:
    """Fine-tune on the annotated patients, predict the unseen ones, compare with their labels."""
    run, reference = demo.runs[name], demo.runs["pre-trained"]
    card = read_model_card(ModelFolder(reference.pretrain))  # both get the same grid and network
    finetune.run(
        FinetuneSettings(
            run=run.path,
            labeled=demo.data,
            start="none" if name == "scratch" else str(reference.path),
            unlabeled="none" if name == "scratch" else "",  # of pre-training
            options={} if name == "scratch" else {"rounds": ROUNDS},
            steps=settings.finetune_steps,
            batch=BATCH if _on_phantoms(settings) else None,
            seed=settings.seed,
            base_channels=card["arguments"]["base_channels"],
            grid=GridSettings(spacing=card["grid"]["spacing"], patch=tuple(card["grid"]["patch"])),
            cases=CaseSelection(only=demo.annotated, patient_pattern=demo.patient_pattern),
            compute=settings.compute,
        )
    )
    unseen = CaseSelection(only=demo.unseen, patient_pattern=demo.patient_pattern)
    predict.run(PredictSettings(run=run.path, images=demo.data, cases=unseen, compute=settings.compute))
    return evaluate.evaluate(run.predictions, demo.data, selection=unseen)


def _show(settings: DemoSettings, demo: Demo, reports: dict[str, EvaluationReport]) -> None:
    listing = find_cases(demo.data, only=demo.unseen, patient_pattern=demo.patient_pattern)
    labeled = [case for case in listing.cases if case.labels]
    table = collect_table(labeled, listing.table)
    seen = (attempt(case.name, _shown, case, demo.runs)[0] for case in labeled)
    shown = [*itertools.islice((case for case in seen if case), SHOWN)]
    overview, curves = settings.folder / "overview.png", settings.folder / "curves.png"
    draw_overview(overview, shown, table)
    draw_curves(
        curves,
        {
            "Pre-training": {settings.method: (demo.runs["pre-trained"], "pretrain")},
            "Fine-tuning": {name: (run, "finetune") for name, run in demo.runs.items()},
        },
    )
    _print("\nPredicted segmentations:")
    for case in labeled:
        for run in demo.runs.values():
            _print(f"  {run.prediction(case.name)}")
    _print(f"\nUnseen patients: {len(demo.unseen)}; annotated patients to learn from: {len(demo.annotated)}.")
    _print("\n".join(comparison(reports)))
    _print(f"\nPictures: {overview} (outlines on slices), {curves} (losses)")


def _shown(case: Case, runs: dict[str, RunFolder]) -> Shown:
    if case.labels is None:
        raise ValueError(f"{case.name} has no labels to show")
    labelings = {"truth": read_annotation(case.labels, case).volume}
    labelings |= {name: read_labels(run.prediction(case.name)).volume for name, run in runs.items()}
    image = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels).volume
    return Shown(case.name, image, labelings)


def comparison(reports: dict[str, EvaluationReport]) -> Sequence[str]:
    """Lines of a table: Dice and HD95 of each structure, one pair of columns per way of training."""
    names = list(reports)
    lines = [
        f"{'structure':24}"
        + "".join(f"{'Dice ' + n:>20}" for n in names)
        + "".join(f"{'HD95 mm ' + n:>22}" for n in names)
    ]
    for summaries in zip(*(reports[n].summary for n in names), strict=True):
        dice = "".join(f"{_spread(s.dice, 3):>20}" for s in summaries)
        distance = "".join(f"{_spread(s.hd95_mm, 1):>22}" for s in summaries)
        lines.append(f"{summaries[0].structure:24}{dice}{distance}")
    return lines


def _spread(spread: Spread, digits: int) -> str:
    return f"{spread.mean:.{digits}f} ± {spread.sd:.{digits}f}"


def _print(line: str) -> None:
    print(line, flush=True)
