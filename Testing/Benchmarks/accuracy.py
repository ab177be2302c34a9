"""The truth meter: Dice against the number of annotated patients, for any way of learning, beside scratch.

    python Testing/Benchmarks/accuracy.py DATA RUNS --results Testing/Benchmarks/results/acdc-cpu
    python Testing/Benchmarks/accuracy.py DATA RUNS --profile product --annotated 1 2 4 8 \\
        --methods scratch self_training mean_teacher --results Testing/Benchmarks/results/acdc-unannotated

A method is a pre-training, a strategy of fine-tuning, or both joined by +. For each seed it sees the images
of all patients but those kept for evaluation, is fine-tuned on k annotated ones, and evaluated on the same
unseen patients. A strategy that learns from scans nobody annotated is given those of all other patients. A
benchmark that was interrupted goes on where it was; methods, seeds and numbers of patients can be added
later. Each seed has its own annotated patients, because a single one says little. With
--change '{"slice_share": 0.01}' one slice of each annotated volume is annotated. Processes with the same
command share the runs and fill one table.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from accuracy_summary import write_summary
from shared_runs import alone_at, saved_when_stopped, taken
from sparse_slices import write_slices
from unseen_patients import ACDC_ANNOTATED, ACDC_UNSEEN, append, rows_of, scores

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.jobs import finetune, pretrain
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import (
    CaseSelection,
    FinetuneSettings,
    GridSettings,
    PredictSettings,
    PretrainSettings,
)
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.rules import Formerly
from ContrastiveSegLib.settings.schema import check_fields

# Patients among whom the seeds choose, whatever numbers of them are asked for: else the same seed would have
# other patients in another command.
ROTATED = 8


@dataclass(frozen=True)
class Who:
    """The patients of a run: annotated ones, those it is judged on, and all that nothing is learned from."""

    annotated: list[str]
    judged: list[str]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Profile:
    """How much work a run is, and how much of each annotated volume somebody drew.

    Args:
        slice_share: Share of its slices that are annotated, at least one.
    """

    spacing: float | None
    patch: tuple[int, ...]
    base_channels: Annotated[int, Formerly("width")]
    pretrain_steps: int
    pretrain_batch: int
    finetune_steps: int
    finetune_batch: int
    slice_share: float = 1.0


PROFILES = {
    "product": Profile(1.5, (128, 128), 24, 500, 32, 1500, 8),
    "cpu": Profile(1.5, (128, 128), 16, 300, 32, 300, 8),
    "full": Profile(1.25, (352, 352), 32, 20_000, 32, 10_000, 10),
}


def main() -> None:
    options = _options()
    profile = profile_for(options.profile, options.change)
    annotated, unseen = _patients(options)
    judged = _for_choosing(annotated, unseen, options) if options.choose else unseen
    options.output.mkdir(parents=True, exist_ok=True)
    results = options.results or options.output / "accuracy"
    table = results.with_suffix(".csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first_seed, options.seeds):
        for name in options.methods:
            run = options.output / f"{_file_name(name)}-seed{seed}"
            for count in taken(run, [n for n in options.annotated if not _is_done(table, name, seed, n)]):
                chosen = _rotated(annotated[: max(ROTATED, *options.annotated)], seed, count)
                who = Who(chosen, judged, together(unseen, judged))
                row = _one_run(options, profile, run, name, seed, who)
                with alone_at(table):
                    append(table, row)
                    write_summary(table, options.profile)
    with alone_at(table):
        write_summary(table, options.profile)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("output", type=Path, help="folder for runs")
    parser.add_argument(
        "--results",
        type=Path,
        help="name of table, curve and rows, without suffix; rows that are there are not run again",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["scratch", "simclr", 'pcl {"threshold": 0.35}', "supercl", "macl", "polycl"],
        help="names; options of the last part as JSON behind it: 'supercl+self_training {\"rounds\": 3}'",
    )
    parser.add_argument("--annotated", nargs="+", type=int, default=[1, 2, 8], help="numbers of patients")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="to share the work between processes")
    parser.add_argument(
        "--choose",
        action="store_true",
        help="evaluate on others than the unseen patients, to choose settings",
    )
    parser.add_argument("--unseen", type=int, default=20, help="patients kept for evaluation")
    parser.add_argument("--profile", choices=PROFILES, default="cpu")
    parser.add_argument("--change", type=json.loads, default={}, help="fields of the profile, as JSON")
    parser.add_argument("--mirror", choices=["auto", "yes", "no"], default="auto", help="of prediction")
    parser.add_argument("--pretrain-lr", type=float, help="instead of the default")
    return parser.parse_args()


def profile_for(name: str, change: Mapping[str, Any]) -> Profile:
    """A profile with some fields changed; earlier names of fields, as in commands of then, still work."""
    return replace(PROFILES[name], **check_fields(Profile, change, source="--change"))


def _patients(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Who may be annotated, in order, and who is evaluated; drawn once and for all."""
    there = sorted({case.patient for case in find_cases(options.data).cases if case.labels})
    if {f"patient{n:03d}" for n in (*ACDC_ANNOTATED, *ACDC_UNSEEN)} <= set(there):
        annotated, unseen = ([f"patient{n:03d}" for n in ns] for ns in (ACDC_ANNOTATED, ACDC_UNSEEN))
    else:
        order = [str(name) for name in np.random.default_rng(1234).permutation(there)]
        annotated, unseen = order[options.unseen :], order[: options.unseen]
    return annotated, unseen


def together(unseen: list[str], judged: list[str]) -> tuple[str, ...]:
    """Both, always in the same order: in another order a run would not be taken up again."""
    return tuple(sorted({*unseen, *judged}))


def _for_choosing(annotated: list[str], unseen: list[str], options: argparse.Namespace) -> list[str]:
    """Patients to choose settings on: neither those who may be annotated nor the unseen ones."""
    used = {*annotated[: max(ROTATED, *options.annotated)], *unseen}
    there = sorted({case.patient for case in find_cases(options.data).cases if case.labels} - used)
    return [str(name) for name in np.random.default_rng(7).permutation(there)[: options.unseen]]


def _file_name(method: str) -> str:
    return re.sub(r"[^a-zA-Z0-9.]+", "-", method).strip("-")


def _rotated(annotated: list[str], seed: int, count: int) -> list[str]:
    """The patients annotated for a seed: others for each while there are others."""
    return [annotated[(seed * count + n) % len(annotated)] for n in range(count)]


def _one_run(
    options: argparse.Namespace, profile: Profile, run: Path, name: str, seed: int, who: Who
) -> dict[str, Any]:
    """Pre-train unless done, fine-tune, predict, evaluate; returns the row of the table."""
    method, strategy, settings = _parts(name)
    grid = GridSettings(spatial_dims=len(profile.patch), spacing=profile.spacing, patch=profile.patch)
    started = time.perf_counter()
    if method:
        pretrain.run(
            PretrainSettings(
                run=run,
                images=options.data,
                method=method,
                options={} if strategy else settings,
                steps=profile.pretrain_steps,
                batch=profile.pretrain_batch,
                lr=options.pretrain_lr,
                base_channels=profile.base_channels,
                seed=seed,
                grid=grid,
                cases=CaseSelection(leave_out=who.left_out),
            )
        )
    pretrained = time.perf_counter()
    only = CaseSelection(only=tuple(who.annotated))
    slices = run / "slices.csv"
    if profile.slice_share < 1:
        run.mkdir(parents=True, exist_ok=True)
        write_slices(slices, options.data, only, profile.slice_share)
    finetune.run(
        FinetuneSettings(
            run=run,
            labeled=options.data,
            annotated_slices=slices if profile.slice_share < 1 else None,
            unlabeled=str(options.data) if strategy else "none",
            strategy=strategy or "supervised",
            options=settings if strategy else {},
            start="" if method else "none",
            steps=profile.finetune_steps,
            batch=profile.finetune_batch,
            base_channels=profile.base_channels,
            seed=seed,
            grid=grid,
            cases=replace(only, leave_out=who.left_out),
        )
    )
    finetuned = time.perf_counter()
    count = len(who.annotated)
    output, cases = run / f"predictions-{count}", CaseSelection(only=tuple(who.judged))
    number = _round_with(RunFolder(run), who.annotated)
    judged = scores(
        PredictSettings(
            run=run,
            images=options.data,
            output=output,
            round=number,
            mirror=options.mirror,
            uncertainty=False,
            cases=cases,
        ),
        options.data,
        run / f"report-{count}.csv",
    )
    return {
        "profile": options.profile,
        "method": name,
        "seed": seed,
        "annotated": count,
        "patients": " ".join(who.annotated),
        "pretrain_s": round(pretrained - started),
        "finetune_s": round(finetuned - pretrained),
        **_monitors(run),
        "settings": json.dumps({**asdict(profile), "mirror": options.mirror}),
        **judged,
    }


def _parts(name: str) -> tuple[str, str, dict[str, Any]]:
    """The pre-training and the strategy of a method, either may be empty, and the options of the last one."""
    words, _, options = name.partition(" ")
    strategies = [entry.name for entry in list_methods() if entry.kind == "finetuning"]
    parts = [part for part in words.split("+") if part != "scratch"]
    strategy = parts.pop() if parts and parts[-1] in strategies else ""
    return parts[0] if parts else "", strategy, json.loads(options or "{}")


def _round_with(run: RunFolder, chosen: list[str]) -> int:
    """The finished round of fine-tuning that learned from these patients."""
    rounds = {
        n: run.read_settings("finetune", FinetuneSettings, round_number=n)
        for n in run.finetune_rounds(finished=True)
    }
    return next(n for n, settings in rounds.items() if settings.cases.only == tuple(chosen))


def _monitors(run: Path) -> dict[str, Any]:
    """Where pre-training ended: its loss, the distance from collapse, the spread of features."""
    last: dict[str, Any] = {}
    with RunFolder(run).events.open(encoding="utf-8") as stream:
        for line in stream:
            event = json.loads(line)
            if event.get("job") == "pretrain" and event["kind"] == "progress":
                last = event
    watched = last.get("watched", {})
    return {
        "pretrain_loss": round(sum(last["terms"].values()), 4) if last else "",
        "off_collapse": round(watched["above_chance_level"], 4) if "above_chance_level" in watched else "",
        "spread": round(watched["spread"], 4) if "spread" in watched else "",
    }


def _is_done(table: Path, name: str, seed: int, count: int) -> bool:
    return any(
        (row["method"], int(row["seed"]), int(row["annotated"])) == (name, seed, count)
        for row in rows_of(table)
    )


if __name__ == "__main__":
    sys.exit(saved_when_stopped(main))
