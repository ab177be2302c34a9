"""Learn to segment from a few labeled cases, starting from pre-trained parts or from scratch."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ContrastiveSegLib.errors import BadCheckpoint, BadFolder
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy, load_strategy
from ContrastiveSegLib.networks.backbone import Backbone, build_network, check_sides, fitting_patch, pools_for
from ContrastiveSegLib.networks.weights import load_parts, read_page, save_model
from ContrastiveSegLib.runs.job_settings import FinetuneSettings
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.runs.settings import from_dict
from ContrastiveSegLib.runs.writing import write_json
from ContrastiveSegLib.training.annotated import check_annotations, listed_slices, maps_of_pieces
from ContrastiveSegLib.training.batches import Sampler
from ContrastiveSegLib.training.compute import Compute, choose_compute
from ContrastiveSegLib.training.data import (
    Found,
    find_readable_cases,
    grid_for,
    intensities_for,
    losses,
    prepare_all,
    together,
    usable,
    write_cases,
)
from ContrastiveSegLib.training.environment import write_environment
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.reporting import Reporter, working
from ContrastiveSegLib.training.schedule import SHORTEST_EPOCH, Schedule
from ContrastiveSegLib.training.split import favor, split_patients
from ContrastiveSegLib.training.validation import Validation
from ContrastiveSegLib.volumes.annotations import annotation_file
from ContrastiveSegLib.volumes.grid import WorkingGrid
from ContrastiveSegLib.volumes.labels import LabelTable
from ContrastiveSegLib.volumes.one_case import Losses, attempt
from ContrastiveSegLib.volumes.pieces import single_pieces
from ContrastiveSegLib.volumes.prepared import Recipe, collect_table
from ContrastiveSegLib.volumes.preprocessing import Intensities
from ContrastiveSegLib.volumes.slices import PreparedCase

LEARNING_RATE = 3e-3
PIXELS_PER_STEP = {"cpu": 8 * 128 * 128, "other": 16 * 256 * 256}
STEPS = 1500  # a few labeled cases are learned by then; more data get more steps
PASSES = 20
AVERAGE = 0.99  # of the weights, over about a hundred steps


def run(settings: FinetuneSettings) -> Losses:
    """Fine-tune, or resume; a finished round with the same settings and labels is left as it is.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    folder = RunFolder(settings.run)
    compute = choose_compute(settings.compute)
    with working(folder, "finetune", settings) as reporter:
        start = _start_of(settings, folder)
        found = _labeled(find_readable_cases(settings.labeled, settings.cases), settings)
        further = find_readable_cases(settings.also, settings.cases) if settings.also else None
        identity = _identity(together(found, further) if further else found, start, settings)
        number, _ = folder.begin_finetune(settings, data=identity)
        model = ModelFolder(folder.finetune(number))
        if model.is_finished:
            reporter.say(
                f"Round {number} of fine-tuning in {folder.path} is finished; there is nothing to do."
            )
            return Losses()
        write_environment(folder.environment, compute)
        decided = folder.decide(
            "finetune", lambda: _decide(settings, found, start, compute), round_number=number
        )
        grid, intensities = (
            from_dict(WorkingGrid, decided["grid"]),
            from_dict(Intensities, decided["intensities"]),
        )
        table = _table(found, settings)
        write_json(folder.labels, table.to_json())
        recipe = Recipe(
            grid,
            intensities,
            table,
            annotation=settings.annotation,
            outlined=settings.outlined,
            slices=listed_slices(found, settings),
        )
        reporter.warn_all(found.listing.notes)
        outcomes = prepare_all(found, folder.prepared, recipe, reporter)
        made_for = load_strategy(settings.strategy).Strategy.learns_from
        check_annotations(
            outcomes, table, decided["batch"], reporter, made_for=made_for, outlined=settings.outlined
        )
        training, validation = split_patients(usable(outcomes), settings.validation, seed=settings.seed)
        roles = {case.name: "validation" for case in validation}
        if further:
            more = prepare_all(further, folder.prepared, Recipe(grid, intensities, table), reporter)
            training = favor(training, usable(more), validation, times=settings.favored)
            found, outcomes = together(found, further), outcomes + more
        write_cases(folder.cases, found, outcomes, roles)
        _learn(_Round(settings, decided, grid, table, model, start), training, validation, compute, reporter)
        return losses(found, outcomes)


@dataclasses.dataclass(frozen=True)
class _Round:
    settings: FinetuneSettings
    decided: dict[str, Any]
    grid: WorkingGrid
    table: LabelTable
    model: ModelFolder
    start: ModelFolder | None


def _start_of(settings: FinetuneSettings, folder: RunFolder) -> ModelFolder | None:
    """The pre-trained model to start from; None for scratch."""
    if settings.start == "none":
        return None
    run = RunFolder(Path(settings.start)) if settings.start else folder
    source = ModelFolder(run.pretrain)
    if not source.is_finished:
        raise BadCheckpoint(
            f"There is no finished pre-training in {source.path}.",
            "Pre-train there first, name another run with --from, or train from scratch with --from none.",
        )
    return source


def _labeled(found: Found, settings: FinetuneSettings) -> Found:
    """All cases stay in the listing, so that one without labels is written down with its reason."""
    if not any(annotation_file(case, settings.annotation) for case in found.cases):
        raise BadFolder(
            f"None of the {len(found.cases)} cases in {settings.labeled} has labels.",
            "Put label files beside the images (labels/NAME.nii.gz, NAME.seg.nrrd), or name another folder.",
        )
    return found


def _table(found: Found, settings: FinetuneSettings) -> LabelTable:
    """The structures to learn.

    Raises:
        BadFolder: The labels show none.
    """
    table = collect_table(found.cases, found.listing.table, settings.annotation)
    if not table.structures:
        raise BadFolder(
            f"The labels in {settings.labeled} show no structure: every voxel is background.",
            "Check that the right files were exported, and see `scan` for what they hold.",
        )
    return table


def _identity(found: Found, start: ModelFolder | None, settings: FinetuneSettings) -> str:
    """A checksum of annotations and starting weights: when either changes, a new round begins."""
    digest = hashlib.sha256((start.model.read_text(encoding="utf-8") if start else "scratch").encode())
    if settings.annotated_slices and settings.annotated_slices.is_file():
        digest.update(settings.annotated_slices.read_bytes())
    for case in found.cases:
        if path := annotation_file(case, settings.annotation):
            content, reason = attempt(case.name, path.read_bytes)
            digest.update(case.name.encode() + (reason.encode() if content is None else content))
    return digest.hexdigest()[:16]


def _decide(
    settings: FinetuneSettings, found: Found, start: ModelFolder | None, compute: Compute
) -> dict[str, Any]:
    """What the settings leave to the data, the machine and the pre-training."""
    page = read_page(start) if start else {}
    name = settings.network or page.get("network", "unet")
    width = settings.width or page.get("arguments", {}).get("width") or compute.default_width()
    grid = _grid(settings, found, page, compute)
    if settings.grid.patch is None:
        dims, pools = len(grid.patch), pools_for(grid.patch)
        network = build_network(name, seed=0, width=width, spatial_dims=dims, pools=pools)
        grid = dataclasses.replace(grid, patch=fitting_patch(network, grid.patch))
    pixels = PIXELS_PER_STEP.get(compute.device.type, PIXELS_PER_STEP["other"])
    batch = settings.batch or int(np.clip(pixels // np.prod(grid.patch), 2, 32))
    slices = sum(g.shape[0] for g in found.geometries) / (grid.patch[0] if len(grid.patch) == 3 else 1)
    return {
        "grid": asdict(grid),
        "intensities": page.get("intensities") or asdict(intensities_for(settings.grid)),
        "network": name,
        "width": width,
        "batch": batch,
        "epoch": max(SHORTEST_EPOCH, round(slices / batch)),
        "steps": settings.steps or max(STEPS, int(PASSES * slices / batch)),
        "lr": settings.lr or LEARNING_RATE,
        "precision": compute.precision,
    }


def _grid(settings: FinetuneSettings, found: Found, page: dict[str, Any], compute: Compute) -> WorkingGrid:
    """The grid of pre-training, where there was one; what the settings name differently prevails."""
    own = grid_for(found, settings.grid, largest_side=compute.largest_side())
    if not page:
        return own
    learned = from_dict(WorkingGrid, page["grid"])
    return dataclasses.replace(
        learned,
        spacing=settings.grid.spacing or learned.spacing,
        patch=own.patch if settings.grid.patch else learned.patch,
    )


def _learn(
    this: _Round,
    training: Sequence[PreparedCase],
    validation: Sequence[PreparedCase],
    compute: Compute,
    reporter: Reporter,
) -> None:
    decided, settings = this.decided, this.settings
    arguments = {
        "in_channels": training[0].channels,
        "classes": len(this.table.structures) + 1,
        "width": decided["width"],
        "spatial_dims": len(this.grid.patch),
        "pools": pools_for(this.grid.patch),
    }
    network = build_network(decided["network"], seed=settings.seed, **arguments)
    check_sides(network, this.grid.patch)
    if this.start:
        load_parts(network, this.start)
    strategy = build_strategy(settings, network, this.grid.patch)
    sampler = Sampler(
        training,
        this.grid.patch,
        labeled=True,
        unknown=strategy.draws_unknown,
        seed=settings.seed,
        margin=strategy.margin,
    )
    compute = dataclasses.replace(compute, precision=decided["precision"])
    judge = Validation(
        network,
        validation,
        patch=this.grid.patch,
        table=this.table,
        compute=compute,
        path=this.model.metrics,
        tell=reporter.tell,
    )
    how = Training(
        Schedule(decided["steps"], decided["batch"], decided["lr"], "adamw_one_cycle", decided["epoch"]),
        compute,
        this.model.last,
        settings.seed,
        checkpoint_every_s=settings.save_every_min * 60,
        score=judge.score if validation else None,
        average=AVERAGE,
    )
    reporter.say(
        f"Fine-tuning {decided['network']} from {this.start.path if this.start else 'scratch'} on "
        f"{len(training)} cases ({len(validation)} for validation): {this.grid.describe()}, "
        f"{how.schedule.steps} steps of {how.schedule.batch}, on {compute.describe()}."
    )
    with reporter.bar(how.schedule.steps, "step"):
        train(strategy, list(strategy.parameters()), sampler, how, reporter)
    save_model(
        this.model,
        network,
        name=decided["network"],
        arguments=arguments,
        parts=("encoder", "decoder", "head"),
        strategy=settings.strategy,
        mirrored=strategy.mirrors,
        start=str(this.start.path) if this.start else "none",
        grid=asdict(this.grid),
        intensities=decided["intensities"],
        labels=this.table.to_json(),
        single_pieces=single_pieces(maps_of_pieces(training), range(1, arguments["classes"])),
    )
    this.model.last.unlink(missing_ok=True)
    reporter.say(
        f"Fine-tuning is finished: {this.model.weights}", kind="result", file=str(this.model.weights)
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
