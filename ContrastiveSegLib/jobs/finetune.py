"""Learn to segment from a few labeled cases, starting from pre-trained parts or from scratch."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from ContrastiveSegLib.dataset.annotations import annotation_file
from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.disk import make_folder
from ContrastiveSegLib.distributed.coordination import check_alike, first_process_first, on_first_process
from ContrastiveSegLib.distributed.process_group import joined
from ContrastiveSegLib.errors import BadCheckpoint, BadFolder
from ContrastiveSegLib.file_io.structure_files import label_files
from ContrastiveSegLib.finetuning._decisions import decide_finetuning
from ContrastiveSegLib.finetuning._model import Cases, Task
from ContrastiveSegLib.finetuning._plan import TRIED, Amount, middle_of, try_finetuning
from ContrastiveSegLib.finetuning._rounds import learn
from ContrastiveSegLib.finetuning._strategy import load_strategy
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.networks.foreign_weights import Start, read_foreign
from ContrastiveSegLib.networks.weights import read_model_card
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, collect_table
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.atomic_write import write_json
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.device import Compute, choose_compute
from ContrastiveSegLib.session.environment import write_environment
from ContrastiveSegLib.session.reporter import Reporter, working
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.annotation_checks import check_annotations, listed_slices
from ContrastiveSegLib.training.data import (
    Found,
    facts_of,
    file_sizes,
    find_readable_cases,
    left_out_words,
    losses,
    together,
    usable,
    write_cases,
)
from ContrastiveSegLib.training.decided import decide
from ContrastiveSegLib.training.modality import keep_modality
from ContrastiveSegLib.training.preparing import prepare_together
from ContrastiveSegLib.training.split import split_patients, weighted
from ContrastiveSegLib.training.unannotated import (
    choose_unannotated,
    find_unannotated,
    prepare_unannotated,
    was_pretrained,
)

# How other programs call their files of weights; a run folder is not called so.
WEIGHTS = (".pt", ".pth", ".ckpt")


@dataclasses.dataclass(frozen=True)
class _Folders:
    """The cases that were found: to learn from, annotations that count less, scans that nobody annotated."""

    labeled: Found
    extra: Found | None
    scans: Found | None

    @property
    def annotated(self) -> Found:
        return together(self.labeled, self.extra) if self.extra else self.labeled


def run(settings: FinetuneSettings) -> LostCases:
    """Fine-tune, or resume; a finished round with the same settings and labels is left as it is.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    folder = RunFolder(settings.run)
    compute = choose_compute(settings.compute)
    if settings.plan:
        print(json.dumps(_plan(settings, folder, compute)), flush=True)
        return LostCases()
    with joined("finetune", settings), working(folder, "finetune", settings) as reporter:
        with first_process_first():
            start = _start_of(settings, folder)
            found = _find(settings, folder, reporter)
            number, _ = folder.begin_finetune(settings, data=_identity(found, start, settings))
        check_alike("cases", {"round": number, **facts_of(found.annotated)})
        model = ModelFolder(folder.finetune(number))
        if model.is_finished:
            reporter.info(f"Round {number} of fine-tuning there is finished; there is nothing to do.")
            return LostCases()
        on_first_process(write_environment, model.environment, compute)
        make = functools.partial(decide_finetuning, settings, found.labeled, start, compute)
        with first_process_first():
            decided = decide(folder, "finetune", make, round_number=number)
        grid, table = from_dict(WorkingGrid, decided["grid"]), _table(found.labeled, settings)
        on_first_process(write_json, model.labels, table.to_json())
        compute = dataclasses.replace(compute, precision=decided["precision"])
        task = Task(settings, decided, grid, table, model, start, compute, reporter)
        reporter.warn_all(found.labeled.listing.notes)
        cases, kept, lost = _prepare(task, found)
        learn(dataclasses.replace(task, decided={**decided, "intensities": asdict(kept)}), cases)
        return lost


def _plan(settings: FinetuneSettings, folder: RunFolder, compute: Compute) -> dict[str, Any]:
    """What would be learned here, and what some cases and steps took; the run folder is not touched."""
    started = time.time() - psutil.Process().create_time()
    with tempfile.TemporaryDirectory(prefix="ContrastiveSeg-plan-") as place:
        nowhere = RunFolder(Path(place))
        reporter = Reporter(nowhere, "finetune")
        start = _start_of(settings, folder)
        store = settings.prepared or nowhere.prepared
        found = _find(dataclasses.replace(settings, prepared=store), folder, reporter)
        decided = decide_finetuning(settings, found.labeled, start, compute)
        some = _some_of(found, settings)
        grid, table = from_dict(WorkingGrid, decided["grid"]), _table(some.labeled, settings)
        model = ModelFolder(nowhere.finetune(1))
        make_folder(model.path)
        task = Task(settings, decided, grid, table, model, start, compute, reporter)
        begin = time.perf_counter()
        cases, _, _ = _prepare(task, some)
        per_case = (time.perf_counter() - begin) / (len(cases.training) + len(cases.unannotated))
        annotated = len(_with_labels(found.annotated, settings))
        amount = Amount(annotated, len(found.scans.cases) if found.scans else 0, per_case, started)
        return try_finetuning(task, cases, amount)


def _some_of(found: _Folders, settings: FinetuneSettings) -> _Folders:
    """A few annotated cases and scans, of middle size."""
    names = {case.name for case in _with_labels(found.labeled, settings)}
    labeled = middle_of(found.labeled, TRIED, [case.name in names for case in found.labeled.cases])
    return _Folders(labeled, None, middle_of(found.scans, TRIED) if found.scans else None)


def _find(settings: FinetuneSettings, folder: RunFolder, reporter: Reporter) -> _Folders:
    """Look into all folders, without reading a voxel."""
    store = settings.prepared or folder.prepared
    labeled = _labeled(find_readable_cases(settings.labeled, settings.cases, prepared=store), settings)
    extra = (
        find_readable_cases(settings.extra_labeled, settings.cases, results=True, prepared=store)
        if settings.extra_labeled
        else None
    )
    found = _Folders(labeled, extra, None)
    module = load_strategy(settings.strategy)
    annotated = _with_labels(found.annotated, settings)
    patients = len({case.patient for case in annotated})
    if why := module.Strategy.why_no_scans(from_dict(module.Settings, settings.options), patients):
        if settings.unlabeled != "none" and (settings.unlabeled or was_pretrained(settings, folder)):
            reporter.info(f"{settings.strategy} learns from the annotated cases alone: {why}.")
        return found
    scans = find_unannotated(settings, folder, annotated, reporter)
    if scans is None and not settings.unlabeled:
        reporter.info(
            "There are no scans without annotation to learn from: none were named with --unlabeled, and none "
            "come from a pre-training. Only the annotated cases are learned from."
        )
    return dataclasses.replace(found, scans=scans)


def _with_labels(found: Found, settings: FinetuneSettings) -> list[Case]:
    """The cases that will be learned from with what was drawn on them."""
    listed = listed_slices(found, settings)
    drawn = [case for case in found.cases if annotation_file(case, settings.annotation)]
    return [case for case in drawn if listed is None or case.name in listed]


def _prepare(task: Task, found: _Folders) -> tuple[Cases, Intensities, LostCases]:
    """Bring all cases to the working grid, write them down; who is learned from, how, and what was lost."""
    settings, reporter = task.settings, task.reporter
    store = settings.prepared or reporter.run.prepared
    recipe = _recipe(task, found.labeled)
    outcomes = prepare_together(found.labeled, store, recipe, reporter)
    kept = keep_modality(recipe.intensities, outcomes, reporter)
    made_for = load_strategy(settings.strategy).Strategy.learns_from
    check_annotations(
        outcomes,
        task.table,
        task.decided["batch"],
        reporter,
        made_for=made_for,
        outside_is_background=settings.outside_is_background,
    )
    training, validation = split_patients(usable(outcomes), settings.validation, seed=settings.seed)
    roles = {case.name: "validation" for case in validation}
    plain = Recipe(recipe.grid, recipe.intensities, recipe.table)
    if found.extra:
        more = prepare_together(found.extra, store, plain, reporter)
        training = weighted(training, usable(more), validation, times=settings.labeled_weight)
        outcomes = outcomes + more
    unannotated: tuple[PreparedCase, ...] = ()
    everyone = found.annotated
    if found.scans:
        prepare = functools.partial(prepare_unannotated, annotated=outcomes)
        without_labels = dataclasses.replace(plain, table=None)
        others = prepare_together(found.scans, store, without_labels, reporter, prepare=prepare)
        unannotated = choose_unannotated(others, validation, reporter)
        roles |= {outcome.case.name: "unannotated" for outcome in others}
        everyone, outcomes = together(everyone, found.scans), outcomes + others
    on_first_process(write_cases, task.model.cases, everyone, outcomes, roles)
    on_first_process(reporter.run.show_newest, task.model)
    return Cases(training, validation, unannotated), kept, losses(everyone, outcomes)


def _recipe(task: Task, labeled: Found) -> Recipe:
    settings = task.settings
    return Recipe(
        task.grid,
        from_dict(Intensities, task.decided["intensities"]),
        task.table,
        annotation=settings.annotation,
        outside_is_background=settings.outside_is_background,
        slices=listed_slices(labeled, settings),
    )


def _start_of(settings: FinetuneSettings, folder: RunFolder) -> Start | None:
    """The pre-trained model to start from; None for scratch."""
    if settings.start == "none":
        return None
    if settings.start and Path(settings.start).is_file():
        return read_foreign(Path(settings.start))
    if Path(settings.start).suffix in WEIGHTS:
        raise BadCheckpoint(f"There is no file {settings.start}.", "Check the path of the weights.")
    run = RunFolder(Path(settings.start)) if settings.start else folder
    source = ModelFolder(run.pretrain)
    if not source.is_finished:
        raise BadCheckpoint(
            f"There is no finished pre-training in {source.path}.",
            "Pre-train there first, name another run with --from, or train from scratch with --from none.",
        )
    read_model_card(source)  # refused here if it is damaged, before anything is written
    return source


def _labeled(found: Found, settings: FinetuneSettings) -> Found:
    """All cases stay in the listing, so that one without labels is written down with its reason."""
    if not any(annotation_file(case, settings.annotation) for case in found.cases):
        raise BadFolder(
            f"None of the {len(found.cases)} cases in {settings.labeled} has labels.{left_out_words(found)}",
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


def _identity(found: _Folders, start: Start | None, settings: FinetuneSettings) -> str:
    """A checksum of annotations, starting weights and scans: when any changes, a new round begins."""
    digest = hashlib.sha256(start.model.read_bytes() if start else b"scratch")
    if settings.annotated_slices and settings.annotated_slices.is_file():
        digest.update(settings.annotated_slices.read_bytes())
    for case in found.annotated.cases:
        if path := annotation_file(case, settings.annotation):
            for file in label_files(path):
                content, reason = attempt(case.name, file.read_bytes)
                digest.update(case.name.encode() + (reason.encode() if content is None else content))
    for case in found.scans.cases if found.scans else ():
        digest.update(f"{case.name} {file_sizes(case)}".encode())
    return digest.hexdigest()[:16]
