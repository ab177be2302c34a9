"""Does choosing by `suggest` beat chance? Dice after fine-tuning on what was suggested, and on random draws.

    python Testing/Benchmarks/suggest.py DATA RUNS --results Testing/Benchmarks/results/suggest-acdc

One pre-training without the patients kept for evaluation; then fine-tuning from it on N patients (or on N
slices): random draws, and what each strategy of `suggest` names first, with several seeds of fine-tuning. All
are evaluated on the same unseen patients. `--development` compares the strategies on patients that are
reported nowhere: pools of 20 candidates, each with a suggestion and a random draw. A benchmark that was
interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import Profile, _patients, profile_for
from suggest_slices import SliceOfCase, all_slices, write_table
from suggest_summary import write_summary
from unseen_patients import append, rows_of, scores

from ContrastiveSegLib.jobs import finetune, pretrain, suggest
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import (
    CaseSelection,
    FinetuneSettings,
    GridSettings,
    PredictSettings,
    PretrainSettings,
    SuggestSettings,
)

POOL = 20  # candidates and judges of one comparison in the development stage


@dataclass(frozen=True)
class Trial:
    """One fine-tuning: on what, chosen how, with which seed.

    Args:
        unit: "patients" or "slices".
        number: Of the random draw, or of the pool in the development stage.
        pool: Patients to choose from.
    """

    unit: str
    choice: str
    number: int
    seed: int
    pool: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return self.unit, self.choice, str(self.number), str(self.seed)


def main() -> None:
    options = _options()
    profile = profile_for("cpu", options.change)
    _, unseen = _patients(options)
    everybody = {case.patient for case in all_slices(options.data)}
    candidates = sorted(everybody - set(unseen))
    start = options.output / "pretrained"
    _pretrain(options, profile, start, unseen)
    judges = unseen
    if options.development:
        order = [str(name) for name in np.random.default_rng(99).permutation(candidates)]
        candidates, judges = sorted(order[POOL:]), sorted(order[:POOL])
    table = options.results.with_suffix(".csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    for trial in _trials(options, candidates):
        if not any((r["unit"], r["choice"], r["number"], r["seed"]) == trial.key for r in rows_of(table)):
            append(table, _row(options, profile, start, trial, judges))
            write_summary(table)
    write_summary(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("output", type=Path, help="folder for runs")
    parser.add_argument("--results", type=Path, required=True, help="name of rows, table and picture")
    parser.add_argument("--units", nargs="+", choices=["patients", "slices"], default=["patients"])
    parser.add_argument("--choices", nargs="+", default=["random", "typicality", "k_center"])
    parser.add_argument("--count", type=int, default=2, help="patients to annotate")
    parser.add_argument("--slices", type=int, default=6, help="slices to annotate")
    parser.add_argument("--draws", type=int, default=10, help="random draws, or pools of --development")
    parser.add_argument("--seeds", type=int, default=3, help="fine-tunings on each suggestion")
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--method", default="supercl", help="of pre-training")
    parser.add_argument("--unseen", type=int, default=POOL, help="patients kept for evaluation")
    parser.add_argument("--change", type=json.loads, default={}, help="fields of the profile, as JSON")
    return parser.parse_args()


def _trials(options: argparse.Namespace, candidates: list[str]) -> Iterator[Trial]:
    for unit in options.units:
        if options.development:
            for number in range(options.draws):
                pool = np.random.default_rng(number).choice(candidates, POOL, replace=False)
                for choice in options.choices:
                    yield Trial(unit, choice, number, number, tuple(sorted(map(str, pool))))
            continue
        for choice in options.choices:
            for n in range(options.draws if choice == "random" else options.seeds):
                yield Trial(unit, choice, n if choice == "random" else 0, n, tuple(candidates))


def _pretrain(options: argparse.Namespace, profile: Profile, run: Path, unseen: list[str]) -> None:
    pretrain.run(
        PretrainSettings(
            run=run,
            images=options.data,
            method=options.method,
            steps=profile.pretrain_steps,
            batch=profile.pretrain_batch,
            base_channels=profile.base_channels,
            grid=GridSettings(spacing=profile.spacing, patch=profile.patch),
            cases=CaseSelection(leave_out=tuple(unseen)),
        )
    )


def _row(
    options: argparse.Namespace, profile: Profile, start: Path, trial: Trial, judges: list[str]
) -> dict[str, Any]:
    chosen = _chosen(options, start, trial)
    names = [str(item) for item in chosen]
    run = options.output / "tuned"
    selection, table = CaseSelection(only=tuple(names)), None
    if trial.unit == "slices":
        selection = CaseSelection(only=tuple(sorted({one.case for one in chosen})))
        table = write_table(options.output / "annotated" / f"{'-'.join(trial.key)}.csv", chosen)
    settings = FinetuneSettings(
        run=run,
        labeled=options.data,
        annotation="slices" if table else "cases",
        annotated_slices=table,
        start=str(start),
        strategy="supervised",
        steps=profile.finetune_steps,
        batch=profile.finetune_batch,
        seed=trial.seed,
        cases=selection,
    )
    finetune.run(settings)
    judged = _judge(options, run, settings, judges, "-".join(trial.key))
    return {
        "unit": trial.unit,
        "choice": trial.choice,
        "number": trial.number,
        "seed": trial.seed,
        "chosen": "; ".join(names),
        "settings": json.dumps({**asdict(profile), "method": options.method}),
        **judged,
    }


def _chosen(options: argparse.Namespace, start: Path, trial: Trial) -> list[str] | list[SliceOfCase]:
    """What is annotated: drawn, or suggested."""
    if trial.choice != "random":
        return _suggested(options, start, trial)
    random = np.random.default_rng(1000 + trial.number)
    if trial.unit == "patients":
        return sorted(map(str, random.choice(trial.pool, options.count, replace=False)))
    slices = [one for one in all_slices(options.data) if one.patient in trial.pool]
    return [slices[n] for n in sorted(random.choice(len(slices), options.slices, replace=False))]


def _suggested(options: argparse.Namespace, start: Path, trial: Trial) -> list[str] | list[SliceOfCase]:
    slices = trial.unit == "slices"
    output = options.output / "suggestions" / "-".join(trial.key)
    suggest.run(
        SuggestSettings(
            run=start,
            images=options.data,
            count=options.slices if slices else options.count,
            kind="slices" if slices else "cases",
            strategy=trial.choice,
            output=output,
            cases=CaseSelection(only=trial.pool),
        )
    )
    rows = rows_of(RunFolder(start).suggestions(folder=output))
    if not slices:
        return sorted(row["patient"] for row in rows)
    return [SliceOfCase(row["case"], row["patient"], int(row["slice"])) for row in rows]


def _judge(
    options: argparse.Namespace, run: Path, settings: FinetuneSettings, judges: list[str], name: str
) -> dict[str, Any]:
    """The scores of the unseen patients."""
    output = options.output / "predictions" / name
    predicting = PredictSettings(
        run=run,
        images=options.data,
        output=output,
        round=_round_of(RunFolder(run), settings),
        mirror="no",
        uncertainty=False,
        overwrite=True,
        cases=CaseSelection(only=tuple(judges)),
    )
    return scores(predicting, options.data, output / "report.csv")


def _round_of(run: RunFolder, settings: FinetuneSettings) -> int:
    """The finished round with these settings; the last one, should the data have changed since."""
    rounds = run.finetune_rounds(finished=True)
    asked = [run.read_settings("finetune", FinetuneSettings, round_number=n) for n in rounds]
    wanted = (settings.cases, settings.seed, settings.annotated_slices)
    same = [n for n, a in zip(rounds, asked, strict=True) if (a.cases, a.seed, a.annotated_slices) == wanted]
    return same[-1]


if __name__ == "__main__":
    main()
