"""What one fine-tuning is: task, cases, a strategy around a fresh network, how it is judged and saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch

from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy, load_strategy
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.networks.backbone import Backbone, build_network, check_sides, pools_for
from ContrastiveSegLib.networks.foreign_weights import ForeignWeights, Loaded, Start
from ContrastiveSegLib.networks.weights import load_parts, save_model
from ContrastiveSegLib.postprocessing.connected_components import Group, single_components
from ContrastiveSegLib.postprocessing.expected_dice import Expectation
from ContrastiveSegLib.postprocessing.spatial_prior import Places, places_to_json
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.run_folder import ModelFolder
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.annotation_checks import maps_of_components
from ContrastiveSegLib.training.teacher import Teacher, expectation_of
from ContrastiveSegLib.training.validation import Validation


@dataclass(frozen=True)
class Task:
    """One fine-tuning: what was asked and decided, where it begins, and who hears of it."""

    settings: FinetuneSettings
    decided: dict[str, Any]
    grid: WorkingGrid
    table: LabelTable
    model: ModelFolder
    start: Start | None
    compute: Compute
    reporter: Reporter


@dataclass(frozen=True)
class Cases:
    """Who is learned from.

    Args:
        unannotated: Every voxel IGNORE_LABEL; none where the strategy does not learn from such cases.
    """

    training: Sequence[PreparedCase]
    validation: Sequence[PreparedCase]
    unannotated: Sequence[PreparedCase] = ()


def build_strategy(settings: FinetuneSettings, network: Backbone, patch: Sequence[int]) -> FinetuningStrategy:
    """The strategy around a network."""
    module = load_strategy(settings.strategy)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # of the parts that the strategy adds
        strategy: FinetuningStrategy = module.Strategy(
            network, patch, from_dict(module.Settings, settings.options)
        )
    return strategy


def network_arguments(task: Task, cases: Cases, *, downsampling: int = 1) -> dict[str, Any]:
    coarse = {"downsampling": downsampling} if downsampling > 1 else {}
    return {
        "in_channels": cases.training[0].channels,
        "classes": len(task.table.structures) + 1,
        "base_channels": task.decided["base_channels"],
        "spatial_dims": len(task.grid.patch),
        "pools": pools_for(task.grid.patch),
        **coarse,
    }


def fresh_strategy(task: Task, cases: Cases, *, number: int, downsampling: int = 1) -> FinetuningStrategy:
    """The strategy around a fresh network; each round draws what was not pre-trained anew.

    Args:
        number: Of the round; 0: the first network, which may have another strategy.
        downsampling: How much coarser than the working grid the network computes.
    """
    arguments = network_arguments(task, cases, downsampling=downsampling)
    network = build_network(task.decided["network"], seed=task.settings.seed + number, **arguments)
    check_sides(network, task.grid.patch)
    if isinstance(task.start, ForeignWeights):
        loaded = task.start.load_into(network)
        if number == 0:
            _tell(task, loaded)
    elif task.start:
        load_parts(network, task.start)
    return build_strategy(task.settings if number else _first(task, cases), network, task.grid.patch)


def rounds_of(task: Task, cases: Cases) -> int:
    """How often other cases are predicted; 0 where there are none."""
    module = load_strategy(task.settings.strategy)
    options = from_dict(module.Settings, task.settings.options)
    return int(module.Strategy.rounds_of(options)) if cases.unannotated else 0


def first_strategy(task: Task, cases: Cases) -> str:
    """The strategy of the first network, where it is another one; else empty."""
    strategy = load_strategy(task.settings.strategy).Strategy
    kinds = {case.annotation for case in cases.training}
    return str(strategy.first_strategy(kinds, len(task.grid.patch)))


def _first(task: Task, cases: Cases) -> FinetuneSettings:
    """The settings of the first network: of another strategy, with what both have in common."""
    name = first_strategy(task, cases)
    if not name:
        return task.settings
    known = {one.name for one in fields(load_strategy(name).Settings)}
    shared = {option: value for option, value in task.settings.options.items() if option in known}
    return replace(task.settings, strategy=name, options=shared)


def _tell(task: Task, loaded: Loaded) -> None:
    """One sentence for the user, every tensor for the log."""
    assert task.start
    task.reporter.info(loaded.sentence(task.start.path))
    task.reporter.log_event("weights", file=str(task.start.path), **asdict(loaded))


def judge(task: Task, strategy: FinetuningStrategy, cases: Sequence[PreparedCase]) -> Validation:
    return Validation(
        Predictor(strategy.network, task.grid.patch, task.compute),
        cases,
        table=task.table,
        path=task.model.metrics,
        log_event=task.reporter.log_event,
    )


def teacher_of(task: Task, strategy: FinetuningStrategy, cases: Cases) -> Teacher:
    """The network, ready to label cases."""
    strategy.eval()
    groups, names = single_component_groups(task, cases), list(task.table.names)
    return Teacher(strategy.network, task.grid.patch, task.compute, groups, names, mirrored=strategy.mirrors)


def single_component_groups(task: Task, cases: Cases) -> tuple[Group, ...]:
    return single_components(maps_of_components(cases.training), range(1, len(task.table.structures) + 1))


def save(
    task: Task, strategy: FinetuningStrategy, cases: Cases, folder: ModelFolder, places: Places | None = None
) -> None:
    expected = Expectation()
    if folder == task.model:  # not of the rounds before
        teacher = teacher_of(task, strategy, cases)
        expected = expectation_of(teacher, cases.training, cases.validation, places or {})
    save_model(
        folder,
        strategy.network,
        name=task.decided["network"],
        arguments=network_arguments(task, cases, downsampling=strategy.network.downsampling),
        parts=("encoder", "decoder", "head"),
        strategy=task.settings.strategy,
        mirrored=strategy.mirrors,
        start=str(task.start.path) if task.start else "none",
        grid=asdict(task.grid),
        intensities=task.decided["intensities"],
        labels=task.table.to_json(),
        single_components=single_component_groups(task, cases),
        places=places_to_json(places or {}),
        expected_dice=expected.to_json(),
    )
