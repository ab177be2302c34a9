"""Learn from unlabeled volumes: the parts of a network that fine-tuning starts from."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from ContrastiveSegLib.distributed.coordination import check_alike, first_process_first, on_first_process
from ContrastiveSegLib.distributed.process_group import joined
from ContrastiveSegLib.imaging.case_errors import LostCases
from ContrastiveSegLib.imaging.grid import LARGEST_SIDES, WorkingGrid, count_slices
from ContrastiveSegLib.networks.backbone import build_network, fitting_patch, pools_for
from ContrastiveSegLib.networks.weights import is_of, save_model
from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS, plan_pretraining
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, prepare_cases
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.pretraining._method import PretrainingMethod, load_method
from ContrastiveSegLib.pretraining._needs import check_needs, check_shape, lacking
from ContrastiveSegLib.runs.atomic_write import make_folder
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.device import Compute, choose_compute
from ContrastiveSegLib.session.environment import write_environment
from ContrastiveSegLib.session.reporter import Reporter, working
from ContrastiveSegLib.settings.job_settings import PretrainSettings
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.batches import Chosen, Sampler
from ContrastiveSegLib.training.data import (
    Found,
    facts_of,
    find_readable_cases,
    grid_for,
    intensities_for,
    losses,
    nothing_left,
    usable,
    write_cases,
)
from ContrastiveSegLib.training.decided import decide
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.modality import keep_modality
from ContrastiveSegLib.training.preparing import prepare_together
from ContrastiveSegLib.training.schedule import Schedule
from ContrastiveSegLib.training.slice_pairs import Flags
from ContrastiveSegLib.training.trial import try_steps

# SGD: the commands of SuperCL and MACL ran with 0.01; 0.1, as printed, collapsed for a user of PCL, and here.
LEARNING_RATE = {"adamw": 3e-4, "sgd": 0.01}
RECIPE = {"adamw": "adamw_one_cycle", "sgd": "sgd_cosine"}
TRIED = 2  # cases of middle size that a plan reads


def run(settings: PretrainSettings) -> LostCases:
    """Pre-train, or resume; a finished pre-training is left as it is.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    folder = RunFolder(settings.run)
    compute = choose_compute(settings.compute)
    if settings.plan:
        print(json.dumps(_plan(settings, compute)), flush=True)
        return LostCases()
    with joined("pretrain", settings), working(folder, "pretrain", settings) as reporter:
        # Only what can be done is written down: a mistyped folder must not bind the run folder to it.
        store = settings.prepared or folder.prepared
        with first_process_first():
            found = find_readable_cases(settings.images, settings.cases, prepared=store)
            model = ModelFolder(folder.pretrain)
            folder.begin("pretrain", settings, replace=not (model.is_finished or model.last.exists()))
        check_alike("cases", facts_of(found))
        if model.is_finished:
            reporter.info(f"The pre-training in {folder.path} is finished; there is nothing to do.")
            return LostCases()
        on_first_process(make_folder, model.path)
        on_first_process(write_environment, model.environment, compute)
        with first_process_first():
            decided = decide(folder, "pretrain", lambda: _decide(settings, found, compute))
        needs, grid = _needs(settings), from_dict(WorkingGrid, decided["grid"])
        recipe = Recipe(grid, intensities_for(settings.grid), regions="regions" in needs)
        outcomes = prepare_together(found, store, recipe, reporter)
        keep_modality(recipe.intensities, outcomes, reporter)
        on_first_process(write_cases, model.cases, found, outcomes, {})
        on_first_process(folder.show_newest, model)
        cases = usable(outcomes)
        flags = check_needs(settings.method, needs, found.cases, cases, settings.slice_labels)
        _learn(settings, decided, cases, flags, compute, reporter)
        return losses(found, outcomes)


def _decide(settings: PretrainSettings, found: Found, compute: Compute) -> dict[str, Any]:
    """What the settings leave to the data and the machine; decided once, then kept for resuming."""
    base_channels = settings.base_channels or BASE_CHANNELS[compute.machine]
    grid = grid_for(found, settings.grid, largest_side=LARGEST_SIDES[compute.machine])
    if settings.grid.patch is None:
        arguments = _arguments(grid, base_channels, channels=1)
        method = build_method(
            settings.method, settings.options, settings.network, arguments, seed=settings.seed
        )
        fitting = fitting_patch(method.network, grid.patch, shrunk=method.shrunk())
        grid = dataclasses.replace(grid, patch=fitting)
    slices = count_slices(found.geometries, grid)
    plan = plan_pretraining(slices, epochs=settings.epochs, steps=settings.steps, batch=settings.batch)
    return {
        "grid": asdict(grid),
        "base_channels": base_channels,
        **asdict(plan),
        "lr": settings.lr or LEARNING_RATE[settings.optimizer],
        "precision": compute.precision,
    }


def _plan(settings: PretrainSettings, compute: Compute) -> dict[str, Any]:
    """What would be learned here, and what some cases and steps took; the run folder is not touched."""
    started = time.time() - psutil.Process().create_time()
    found = find_readable_cases(settings.images, settings.cases)
    decided = _decide(settings, found, compute)
    by_size = sorted(range(len(found.cases)), key=lambda n: math.prod(found.geometries[n].shape))
    middle = [found.cases[n] for n in by_size[max(0, len(by_size) // 2 - 1) :][:TRIED]]
    grid, needs = from_dict(WorkingGrid, decided["grid"]), _needs(settings)
    recipe = Recipe(grid, intensities_for(settings.grid), regions="regions" in needs)
    with tempfile.TemporaryDirectory(prefix="ContrastiveSeg-plan-") as folder:
        begin = time.perf_counter()
        cases = usable(prepare_cases(middle, Path(folder), recipe))
        seconds_per_case = (time.perf_counter() - begin) / len(middle)
        if not cases:
            raise nothing_left(settings.images, [])
        flags = check_needs(settings.method, needs, found.cases, cases, settings.slice_labels)
        made = _made(settings, decided, cases, flags, compute)
        tried = try_steps(made.method, trainable_parameters(made.method), made.sampler, made.how)
    return {
        "steps": decided["steps"],
        "batch": tried.batch,
        "patch": list(grid.patch),
        "base_channels": decided["base_channels"],
        "cases": len(found.cases),
        "slices": count_slices(found.geometries, grid),
        "seconds_per_case": round(seconds_per_case, 3),
        "seconds_per_step": round(tried.seconds_per_step, 4),
        "startup_s": round(started, 1),
        "memory_mb": round(tried.memory_mb),
        "device": compute.describe(),
    }


def _arguments(grid: WorkingGrid, base_channels: int, channels: int) -> dict[str, Any]:
    return {
        "in_channels": channels,
        "classes": 2,
        "base_channels": base_channels,
        "spatial_dims": len(grid.patch),
        "pools": pools_for(grid.patch),
    }


def _needs(settings: PretrainSettings) -> tuple[str, ...]:
    module = load_method(settings.method)
    needs: tuple[str, ...] = module.Method.needs_of(from_dict(module.Settings, settings.options))
    return needs


def _learn(
    settings: PretrainSettings,
    decided: dict[str, Any],
    cases: tuple[PreparedCase, ...],
    flags: Flags,
    compute: Compute,
    reporter: Reporter,
) -> None:
    made, grid = _made(settings, decided, cases, flags, compute), from_dict(WorkingGrid, decided["grid"])
    method, sampler, how = made.method, made.sampler, made.how
    if len(sampler) < (every := sum(case.shape[0] for case in cases)):
        without = every - len(sampler)
        reporter.info(f"{without} of {every} slices have no positive or negative example and are not used.")
    folder, schedule = ModelFolder(reporter.run.pretrain), how.schedule
    reporter.info(
        f"Learning from {len(sampler)} slices of {len(cases)} cases with {settings.method}: "
        f"{grid.describe()}, {schedule.steps} steps of {schedule.batch}, on {how.compute.describe()}."
    )
    with reporter.bar(schedule.steps, "step"):
        train(method, trainable_parameters(method), sampler, how, reporter)
    on_first_process(
        save_model,
        folder,
        method.network,
        name=settings.network,
        arguments=_arguments(grid, decided["base_channels"], cases[0].channels),
        parts=method.trains,
        method=settings.method,
        grid=asdict(grid),
        intensities=asdict(intensities_for(settings.grid)),
    )
    on_first_process(folder.last.unlink, missing_ok=True)
    reporter.info(f"Pre-training is finished: {folder.weights}", kind="result", file=str(folder.weights))


@dataclasses.dataclass(frozen=True)
class _Made:
    method: PretrainingMethod
    sampler: Sampler
    how: Training


def _made(
    settings: PretrainSettings,
    decided: dict[str, Any],
    cases: tuple[PreparedCase, ...],
    flags: Flags,
    compute: Compute,
) -> _Made:
    """The method, the slices it draws, and the schedule."""
    patch = decided["grid"]["patch"]
    arguments = _arguments(
        from_dict(WorkingGrid, decided["grid"]), decided["base_channels"], cases[0].channels
    )
    method = build_method(settings.method, settings.options, settings.network, arguments, seed=settings.seed)
    check_shape(settings.method, method, patch, decided["batch"])
    sampler = Sampler(
        cases, patch, labeled=False, seed=settings.seed, chosen=Chosen(partners=method.partners, flags=flags)
    )
    if not len(sampler):
        raise lacking(settings.method, "scans", "No slice has both a positive and a negative example.")
    schedule = Schedule(
        decided["steps"], decided["batch"], decided["lr"], RECIPE[settings.optimizer], decided["epoch"]
    )
    how = Training(
        schedule,
        dataclasses.replace(compute, precision=decided["precision"]),
        ModelFolder(RunFolder(settings.run).pretrain).last,
        settings.seed,
        checkpoint_every_s=settings.save_every_min * 60,
        collapse=method.collapse_value,
    )
    return _Made(method, sampler, how)


def build_method(
    name: str, options: dict[str, Any], network: str, arguments: dict[str, Any], *, seed: int
) -> PretrainingMethod:
    """A pre-training method around a fresh network."""
    module = load_method(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the parts that the method adds
        method: PretrainingMethod = module.Method(
            build_network(network, seed=seed, **arguments), from_dict(module.Settings, options)
        )
    return method


def trainable_parameters(method: PretrainingMethod) -> list[nn.Parameter]:
    """The parameters of the parts a method trains, and of all it adds to the network."""
    return [
        parameter
        for name, parameter in method.named_parameters()
        if parameter.requires_grad
        and (not name.startswith("network.") or is_of(name.removeprefix("network."), method.trains))
    ]
