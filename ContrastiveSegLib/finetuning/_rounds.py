"""Carries out a fine-tuning: one training, or one per round of self-training."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.distributed.collectives import any_process
from ContrastiveSegLib.distributed.coordination import first_process_first, on_first_process, wait_for_all
from ContrastiveSegLib.finetuning._model import (
    Cases,
    Task,
    first_strategy,
    fresh_strategy,
    rounds_of,
    save,
    teacher_of,
)
from ContrastiveSegLib.finetuning._resolution import downsampling_of_rounds
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy
from ContrastiveSegLib.finetuning._training import Round, first_sampler, train_network, with_scans
from ContrastiveSegLib.networks.weights import load_parts
from ContrastiveSegLib.postprocessing.spatial_prior import Places
from ContrastiveSegLib.training.completed_labels import complete
from ContrastiveSegLib.training.pseudo_labels import (
    PseudoLabels,
    check_space,
    choose,
    predict_all,
    write_table,
)
from ContrastiveSegLib.training.teacher import Teacher, dice_of
from ContrastiveSegLib.training.two_streams import TwoStreamSampler

# Dice in the annotated cases that a student may be worse than its teacher. It learned them less by heart: one
# that was 0.06 worse there was 0.10 better on other patients.
FORGOTTEN = 0.2


def learn(task: Task, cases: Cases) -> None:
    """Train to the end, and save the model; what is finished of it already stays."""
    rounds = rounds_of(task, cases)
    downsampling = downsampling_of_rounds(task, cases, rounds)
    strategy = fresh_strategy(task, cases, number=0, downsampling=downsampling[0])
    if other := first_strategy(task, cases):
        task.reporter.info(f"The first network learns from scribbles with {other}.")
    if rounds:
        on_first_process(check_space, cases.unannotated, task.model.path, rounds=rounds)
        task.reporter.info(
            f"Self-training takes {rounds + 1} trainings of {task.decided['steps']} steps, and predicts "
            f"{len(cases.unannotated)} scans after each but the last."
        )
    with task.reporter.bar(task.decided["steps"] * (rounds + 1), "step"):
        sampler = first_sampler(task, strategy, cases)
        strategy = train_network(task, strategy, cases, sampler, Round(0, downsampling))
        strategy, places = _self_training(task, strategy, cases, downsampling)
    if rounds:
        on_first_process(save, task, strategy, cases, task.model, places)
        wait_for_all()  # another process may still read what is removed now
        on_first_process(_clean_up, task, rounds)
    task.reporter.info(
        f"Fine-tuning is finished: {task.model.weights}", kind="result", file=str(task.model.weights)
    )


def _self_training(
    task: Task, strategy: FinetuningStrategy, cases: Cases, downsampling: Sequence[int]
) -> tuple[FinetuningStrategy, Places]:
    """All rounds; the last network that is kept, and where structures usually lie."""
    places: Places = {}
    rounds = len(downsampling) - 1
    for number in range(1, rounds + 1):
        student = _student(task, cases, number, downsampling[number])
        teacher = teacher_of(task, strategy, cases)
        labels = _label(task, teacher, student, cases, number)
        if labels.trouble:
            why = f"round {number} of {rounds} does not begin, because {labels.trouble}"
            return _stopped(task, strategy, cases, why, Ended(number - 1, number)), places
        taught_by = _taught_by(task, teacher, student, cases, labels, number)
        student = train_network(task, student, cases, taught_by, Round(number, downsampling))
        before = dice_of(teacher, cases.training, places)
        after = dice_of(teacher_of(task, student, cases), cases.training, labels.places)
        lost = _forgot(task, before, after)
        if any_process(bool(lost)):
            why = f"the network of round {number} of {rounds} is not kept, because {lost}"
            return _stopped(task, strategy, cases, why, Ended(number - 1, number + 1)), places
        strategy, places = student, labels.places
    return strategy, places


def _student(task: Task, cases: Cases, number: int, downsampling: int) -> FinetuningStrategy:
    """The network of a round, as it begins."""
    student = fresh_strategy(task, cases, number=number, downsampling=downsampling)
    if student.continues:
        load_parts(student.network, task.model.part(number - 1))
    return student


def _label(
    task: Task, teacher: Teacher, student: FinetuningStrategy, cases: Cases, number: int
) -> PseudoLabels:
    """Let the network of the round before label the scans, and say what of it teaches."""
    before, earlier = task.model.part(number - 1), task.model.part(number - 2)
    predict_all(cases.unannotated, teacher, before.pseudo_labels, task.reporter)
    with first_process_first():
        labels = choose(
            cases.unannotated,
            before.pseudo_labels,
            teacher,
            unknown=student.unknown(number),
            annotated=cases.training,
            before=earlier.pseudo_labels if number > 1 else None,
        )
    on_first_process(write_table, before.pseudo_label_table, cases.unannotated, labels)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in labels.used_share.items())
    task.reporter.info(
        f"Round {number} learns from {len(labels.cases)} of {len(cases.unannotated)} predicted scans too; "
        f"of their voxels teach: {shares}.",
        kind="pseudo_labels",
        round=number,
        rounds=student.rounds,
        step=number * task.decided["steps"],
        used_share=labels.used_share,
        cases=len(labels.cases),
        left_out=labels.left_out,
    )
    task.reporter.warn_all([f"{name} does not teach: {why}" for name, why in labels.left_out.items()])
    return labels


def _taught_by(
    task: Task,
    teacher: Teacher,
    student: FinetuningStrategy,
    cases: Cases,
    labels: PseudoLabels,
    number: int,
) -> TwoStreamSampler:
    """Annotated patches, and patches with predicted labels.

    Scribbles teach with what the network adds to them, because Dice needs whole slices. Other slices of cases
    with annotated slices teach like scans, so that the annotated ones are still drawn as often.
    """
    folder = task.model.part(number - 1).pseudo_labels
    with first_process_first():
        completed = complete(cases.training, teacher, labels.places, folder, task.reporter)
    scribbled = {n for n, case in enumerate(cases.training) if case.annotation == "scribbles"}
    training = [completed.get(n, c) if n in scribbled else c for n, c in enumerate(cases.training)]
    others = [case for n, case in completed.items() if n not in scribbled]
    annotated = first_sampler(task, student, replace(cases, training=training))
    return with_scans(task, student, annotated, [*labels.cases, *others])


@dataclass(frozen=True)
class Ended:
    """Where self-training ended early.

    Args:
        kept: The last training whose network is kept.
        done: How many trainings were done.
    """

    kept: int
    done: int


def _stopped(
    task: Task, strategy: FinetuningStrategy, cases: Cases, why: str, ended: Ended
) -> FinetuningStrategy:
    """What self-training ends with: the network before, and if that is coarse, one that went on from it."""
    if strategy.network.downsampling == 1:
        task.reporter.warn(f"Self-training stops: {why}. The model is that of the round before.")
        return strategy
    task.reporter.warn(
        f"Self-training stops: {why}. The network of the round before goes on at full resolution, with the "
        "annotated cases alone."
    )
    fine = fresh_strategy(task, cases, number=ended.done)
    load_parts(fine.network, task.model.part(ended.kept))
    trainings = Round(ended.done, [strategy.network.downsampling] * ended.done + [1], ends=True)
    return train_network(task, fine, cases, first_sampler(task, fine, cases), trainings)


def _forgot(task: Task, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> str:
    """Which structure the student finds much worse than its teacher in the annotated cases; empty if none.

    Both as prediction does it: what is cleaned away there counts for neither.
    """
    for name, old, new in zip(task.table.names, before, after, strict=True):
        if new < old - FORGOTTEN:
            return f'in the annotated cases its Dice of "{name}" is {new:.2f}, that of its teacher {old:.2f}'
    return ""


def _clean_up(task: Task, rounds: int) -> None:
    """The predicted labels are large, and nobody needs them any more; the tables stay."""
    for number in range(rounds):
        shutil.rmtree(task.model.part(number).pseudo_labels, ignore_errors=True)
