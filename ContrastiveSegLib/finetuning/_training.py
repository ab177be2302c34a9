"""Carries out a fine-tuning: one training, or one per round of self-training, each from the same start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy, load_strategy
from ContrastiveSegLib.networks.backbone import Backbone, build_network, check_sides, pools_for
from ContrastiveSegLib.networks.weights import load_parts, save_model
from ContrastiveSegLib.runs.job_settings import FinetuneSettings
from ContrastiveSegLib.runs.run_folder import ModelFolder
from ContrastiveSegLib.runs.settings import from_dict
from ContrastiveSegLib.training.annotated import maps_of_pieces
from ContrastiveSegLib.training.batches import Draws, Sampler
from ContrastiveSegLib.training.compute import Compute
from ContrastiveSegLib.training.halves import Halves
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.norm_statistics import drawn_first, take_statistics
from ContrastiveSegLib.training.pseudo_labels import (
    PseudoLabels,
    Teacher,
    check_space,
    choose,
    predict_all,
    write_table,
)
from ContrastiveSegLib.training.reporting import Reporter
from ContrastiveSegLib.training.schedule import Schedule
from ContrastiveSegLib.training.validation import Validation
from ContrastiveSegLib.volumes.grid import WorkingGrid
from ContrastiveSegLib.volumes.labels import LabelTable
from ContrastiveSegLib.volumes.pieces import Group, single_pieces
from ContrastiveSegLib.volumes.place import Places, places_to_json
from ContrastiveSegLib.volumes.slices import PreparedCase

AVERAGE = 0.99  # of the weights, over about a hundred steps
# Dice in the annotated cases that a student may be worse than its teacher. It learned them less by heart: one
# that was 0.06 worse there was 0.10 better on other patients.
FORGOTTEN = 0.2


@dataclass(frozen=True)
class Task:
    """One fine-tuning: what was asked and decided, where it begins, and who hears of it."""

    settings: FinetuneSettings
    decided: dict[str, Any]
    grid: WorkingGrid
    table: LabelTable
    model: ModelFolder
    start: ModelFolder | None
    compute: Compute
    reporter: Reporter


@dataclass(frozen=True)
class Cases:
    """Who is learned from.

    Args:
        unannotated: Every voxel UNKNOWN; none where the strategy does not learn from such cases.
    """

    training: Sequence[PreparedCase]
    validation: Sequence[PreparedCase]
    unannotated: Sequence[PreparedCase] = ()


def learn(task: Task, cases: Cases) -> None:
    """Train to the end, and save the model; what is finished of it already stays."""
    strategy = _strategy(task, cases, number=0)
    rounds = strategy.rounds if cases.unannotated else 0
    if rounds:
        check_space(cases.unannotated, task.model.path)
        task.reporter.say(
            f"Self-training takes {rounds + 1} trainings of {task.decided['steps']} steps, and predicts "
            f"{len(cases.unannotated)} scans {rounds} times."
        )
    places: Places = {}
    steps = task.decided["steps"] * (rounds + 1)
    with task.reporter.bar(steps, "step"):
        strategy = _train(task, strategy, cases, _sampler(task, strategy, cases), rounds)
        for number in range(1, rounds + 1):
            labels = _label(task, strategy, cases, number)
            if labels.trouble:
                _stop(task, f"round {number} of {rounds} does not begin, because {labels.trouble}")
                break
            student = _strategy(task, cases, number=number)
            taught_by = _halves(task, student, _sampler(task, student, cases), labels.cases)
            student = _train(task, student, cases, taught_by, rounds, number)
            if lost := _forgot(task, strategy, student, cases):
                _stop(task, f"the network of round {number} of {rounds} is not kept, because {lost}")
                break
            strategy, places = student, labels.places
    if rounds:
        _save(task, strategy, cases, task.model, places)
        _clean_up(task, rounds)
    task.reporter.say(
        f"Fine-tuning is finished: {task.model.weights}", kind="result", file=str(task.model.weights)
    )


def build_strategy(settings: FinetuneSettings, network: Backbone, patch: Sequence[int]) -> FinetuningStrategy:
    """The strategy around a network."""
    module = load_strategy(settings.strategy)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # of the parts that the strategy adds
        strategy: FinetuningStrategy = module.Strategy(
            network, patch, from_dict(module.Settings, settings.options)
        )
    return strategy


def _arguments(task: Task, cases: Cases) -> dict[str, Any]:
    return {
        "in_channels": cases.training[0].channels,
        "classes": len(task.table.structures) + 1,
        "width": task.decided["width"],
        "spatial_dims": len(task.grid.patch),
        "pools": pools_for(task.grid.patch),
    }


def _strategy(task: Task, cases: Cases, *, number: int) -> FinetuningStrategy:
    """The strategy around a fresh network; each round draws what was not pre-trained anew."""
    arguments = _arguments(task, cases)
    network = build_network(task.decided["network"], seed=task.settings.seed + number, **arguments)
    check_sides(network, task.grid.patch)
    if task.start:
        load_parts(network, task.start)
    return build_strategy(task.settings, network, task.grid.patch)


def _sampler(task: Task, strategy: FinetuningStrategy, cases: Cases) -> Draws:
    """Annotated patches, and where the strategy asks for them patches nobody annotated."""
    apart = strategy.halves and not strategy.rounds and bool(cases.unannotated)
    mixed = strategy.draws_unknown and not strategy.halves
    annotated = Sampler(
        [*cases.training, *(cases.unannotated if mixed else ())],
        task.grid.patch,
        labeled=True,
        unknown=strategy.draws_unknown,
        seed=task.settings.seed,
        margin=strategy.margin,
    )
    return _halves(task, strategy, annotated, cases.unannotated) if apart else annotated


def _halves(
    task: Task, strategy: FinetuningStrategy, annotated: Draws, others: Sequence[PreparedCase]
) -> Halves:
    how: dict[str, Any] = {"seed": task.settings.seed + 1, "margin": strategy.margin}
    second = Sampler(others, task.grid.patch, labeled=True, unknown=not strategy.rounds, **how)
    until = round((1 - strategy.last_steps) * task.decided["steps"]) if strategy.last_steps else None
    return Halves(annotated, second, until=until)


def _train(
    task: Task, strategy: FinetuningStrategy, cases: Cases, sampler: Draws, rounds: int, number: int = 0
) -> FinetuningStrategy:
    """Train one network, or find it finished."""
    folder = task.model.part(number) if rounds else task.model
    steps = task.decided["steps"]
    if folder.is_finished:
        load_parts(strategy.network, folder)
        task.compute.place(strategy.network)
        return strategy
    how = Training(
        Schedule(steps, task.decided["batch"], task.decided["lr"], "adamw_one_cycle", task.decided["epoch"]),
        task.compute,
        folder.last,
        task.settings.seed + number,
        checkpoint_every_s=task.settings.save_every_min * 60,
        score=_judge(task, strategy, cases.validation).score if cases.validation else None,
        average=AVERAGE,
        before=number * steps,
        after=(rounds - number) * steps,
    )
    task.reporter.say(_words(task, cases, how, rounds, number))
    train(strategy, [p for p in strategy.parameters() if p.requires_grad], sampler, how, task.reporter)
    if rounds:
        take_statistics(strategy.network, _seen_for_norm(task, strategy, cases, sampler))
    _save(task, strategy, cases, folder)
    folder.last.unlink(missing_ok=True)
    return strategy


def _seen_for_norm(
    task: Task, strategy: FinetuningStrategy, cases: Cases, sampler: Draws
) -> Iterator[Tensor]:
    """Patches of the scans: as they taught, or where nothing is known of them yet near their middle."""
    if not isinstance(sampler, Halves):
        sampler = Sampler(cases.unannotated, task.grid.patch, labeled=False, seed=task.settings.seed)
        return drawn_first(sampler, task.compute)
    return drawn_first(sampler.others, task.compute, strategy.augmented)


def _label(task: Task, strategy: FinetuningStrategy, cases: Cases, number: int) -> PseudoLabels:
    """Let the network of the round before label the scans, and say what of it teaches."""
    names = list(task.table.names)
    before, earlier = task.model.part(number - 1), task.model.part(number - 2)
    strategy.eval()
    teacher = Teacher(
        strategy.network, task.grid.patch, task.compute, _pieces(task, cases), names, strategy.mirrors
    )
    predict_all(cases.unannotated, teacher, before.pseudo_labels, task.reporter)
    labels = choose(
        cases.unannotated,
        before.pseudo_labels,
        teacher,
        unknown=strategy.unknown(number),
        annotated=cases.training,
        before=earlier.pseudo_labels if number > 1 else None,
    )
    write_table(before.pseudo_label_table, cases.unannotated, labels)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in labels.kept.items())
    task.reporter.say(
        f"Round {number} learns from {len(labels.cases)} of {len(cases.unannotated)} predicted scans too; "
        f"of their voxels teach: {shares}.",
        kind="pseudo_labels",
        round=number,
        rounds=strategy.rounds,
        step=number * task.decided["steps"],
        kept=labels.kept,
        cases=len(labels.cases),
        left_out=labels.left_out,
    )
    task.reporter.warn_all([f"{name} does not teach: {why}" for name, why in labels.left_out.items()])
    return labels


def _stop(task: Task, why: str) -> None:
    task.reporter.warn(f"Self-training stops: {why}. The model is that of the round before.")


def _forgot(task: Task, teacher: FinetuningStrategy, student: FinetuningStrategy, cases: Cases) -> str:
    """Which structure the student finds much worse than its teacher in the annotated cases; empty if none."""
    before, after = (_judge(task, each, cases.training).dice() for each in (teacher, student))
    for name, old, new in zip(task.table.names, before, after, strict=True):
        if new < old - FORGOTTEN:
            return f'in the annotated cases its Dice of "{name}" is {new:.2f}, that of its teacher {old:.2f}'
    return ""


def _judge(task: Task, strategy: FinetuningStrategy, cases: Sequence[PreparedCase]) -> Validation:
    return Validation(
        strategy.network,
        cases,
        patch=task.grid.patch,
        table=task.table,
        compute=task.compute,
        path=task.model.metrics,
        tell=task.reporter.tell,
    )


def _pieces(task: Task, cases: Cases) -> tuple[Group, ...]:
    return single_pieces(maps_of_pieces(cases.training), range(1, len(task.table.structures) + 1))


def _words(task: Task, cases: Cases, how: Training, rounds: int, number: int) -> str:
    start = task.start.path if task.start else "scratch"
    which = f"Round {number} of {rounds}: " if rounds else ""
    return (
        f"{which}Fine-tuning {task.decided['network']} from {start} on "
        f"{len(cases.training)} cases ({len(cases.validation)} for validation): {task.grid.describe()}, "
        f"{how.schedule.steps} steps of {how.schedule.batch}, on {how.compute.describe()}."
    )


def _save(
    task: Task, strategy: FinetuningStrategy, cases: Cases, folder: ModelFolder, places: Places | None = None
) -> None:
    save_model(
        folder,
        strategy.network,
        name=task.decided["network"],
        arguments=_arguments(task, cases),
        parts=("encoder", "decoder", "head"),
        strategy=task.settings.strategy,
        mirrored=strategy.mirrors,
        start=str(task.start.path) if task.start else "none",
        grid=asdict(task.grid),
        intensities=task.decided["intensities"],
        labels=task.table.to_json(),
        single_pieces=_pieces(task, cases),
        places=places_to_json(places or {}),
    )


def _clean_up(task: Task, rounds: int) -> None:
    """The predicted labels are large, and nobody needs them any more; the tables stay."""
    for number in range(rounds):
        shutil.rmtree(task.model.part(number).pseudo_labels, ignore_errors=True)
