"""Name the cases and slices to annotate next, with a score, the reason and a picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ContrastiveSegLib.active_learning.annotated_slices import Source, find_annotated, find_annotated_or_warn
from ContrastiveSegLib.active_learning.report import to_csv, to_json, to_text
from ContrastiveSegLib.active_learning.suggestions import (
    How,
    Suggestion,
    SurveyedCase,
    suggest_cases,
    suggest_slices,
)
from ContrastiveSegLib.active_learning.survey import SurveyNetwork, SurveyNetworks, survey
from ContrastiveSegLib.distributed.coordination import check_alike, first_process_first, on_first_process
from ContrastiveSegLib.distributed.process_group import joined
from ContrastiveSegLib.errors import BadCheckpoint, BadFolder, BadSetting
from ContrastiveSegLib.imaging.case_errors import LostCases
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.networks.backbone import Backbone, build_network
from ContrastiveSegLib.networks.weights import load_parts, model_card_errors, read_model_card
from ContrastiveSegLib.pictures.contact_sheet import Shown, draw_contact_sheet
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe
from ContrastiveSegLib.runs.atomic_write import write_atomically
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.runs.temporary_files import make_output_folder
from ContrastiveSegLib.session.device import Compute, choose_compute
from ContrastiveSegLib.session.reporter import Reporter, working
from ContrastiveSegLib.settings.job_settings import CaseSelection, FinetuneSettings, SuggestSettings
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.case_results import write_case_results
from ContrastiveSegLib.training.data import (
    facts_of,
    find_readable_cases,
    lost_cases_of,
    report_losses,
)
from ContrastiveSegLib.training.fine_tuned import finished_round, load
from ContrastiveSegLib.training.preparing import check_usable, prepare_together

COUNT = 5


def run(settings: SuggestSettings) -> LostCases:
    """Rank what is not annotated yet, and write table and picture.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    folder = RunFolder(settings.run)
    networks = _networks(folder, choose_compute(settings.compute))
    with joined("suggest", settings), working(folder, "suggest", settings) as reporter:
        recipe = networks.encoder.recipe
        store = settings.prepared or folder.prepared
        found = find_readable_cases(settings.images, settings.cases, prepared=store)
        check_alike("cases", facts_of(found))
        outcomes = prepare_together(found, store, recipe, reporter)
        with first_process_first():
            annotated = _annotated(settings, folder, recipe, reporter)
        check_usable([*annotated.values()])
        _check_count(settings, outcomes, set(annotated))
        cases, unseen = survey(outcomes, annotated, networks, store, reporter)
        reasons = [outcome.reason or unseen.get(outcome.case.name, "") for outcome in outcomes]
        on_first_process(_write, settings, cases, networks, reporter)
        table = folder.case_results("suggest", folder=settings.output)
        left_out = found.listing.left_out
        on_first_process(write_case_results, table, found.cases, reasons, left_out, others_stay=False)
        return report_losses(lost_cases_of(found, reasons), reporter)


def _networks(folder: RunFolder, compute: Compute) -> SurveyNetworks:
    """The pre-trained encoder and the model of the latest round; where one is missing, the other does both.

    Raises:
        BadCheckpoint: There is neither.
    """
    source, model = ModelFolder(folder.pretrain), None
    if folder.finetune_rounds(finished=True):
        tuned = load(finished_round(folder, None), compute)
        model = SurveyNetwork(tuned.network, Recipe(tuned.grid, tuned.intensities))
    if source.is_finished:
        return SurveyNetworks(_encoder(source, compute), model, compute)
    if model is None:
        raise BadCheckpoint(
            f"There is no finished pre-training and no finished fine-tuning in {folder.path}.",
            "Pre-train there first, or name another run.",
        )
    return SurveyNetworks(model, model, compute)


def _encoder(source: ModelFolder, compute: Compute) -> SurveyNetwork:
    """A pre-trained network; its parts that were not trained stay as they were drawn, and are not used."""
    card = read_model_card(source)
    with model_card_errors(source):
        network: Backbone = build_network(card["network"], seed=0, **card["arguments"])
        recipe = Recipe(from_dict(WorkingGrid, card["grid"]), from_dict(Intensities, card["intensities"]))
    load_parts(network, source)
    compute.place(network)
    network.eval()
    return SurveyNetwork(network, recipe)


def _annotated(
    settings: SuggestSettings, folder: RunFolder, recipe: Recipe, reporter: Reporter
) -> dict[str, Outcome]:
    """What is annotated in the folder named by the user, and what the latest round learned from."""
    annotated: dict[str, Outcome] = {}
    store = settings.prepared or folder.prepared
    if rounds := folder.finetune_rounds(finished=True):
        asked = folder.read_settings("finetune", FinetuneSettings, round_number=rounds[-1])
        annotated |= find_annotated_or_warn(Source.of_round(asked), store, recipe, reporter)
    if settings.labeled:
        cases = CaseSelection(patient_pattern=settings.cases.patient_pattern)
        annotated |= find_annotated(Source(settings.labeled, cases), store, recipe, reporter)
    if annotated:
        reporter.info(f"{len(annotated)} annotated cases are covered and not suggested again.")
    return annotated


def _check_count(settings: SuggestSettings, outcomes: Sequence[Outcome], annotated: set[str]) -> None:
    usable = [outcome.case.name for outcome in outcomes if outcome.prepared]
    free = sum(name not in annotated for name in usable)
    if settings.kind != "slices" and settings.count and settings.count > free:
        raise BadSetting(
            f"{settings.count} cases are asked for, but only {free} of the {len(usable)} usable cases in "
            f"{settings.images} are not annotated yet.",
            f"Ask for {free} with --count, or for slices only with --kind slices."
            if free
            else "Add images, or ask for slices only with --kind slices.",
        )


def _suggestions(settings: SuggestSettings, cases: Sequence[SurveyedCase]) -> list[Suggestion]:
    how = How(settings.strategy, settings.seed)
    offered = [case for case in cases if case.offered]
    free_cases = sum(not case.annotated.any() for case in offered)
    free_slices = sum(int((~case.annotated).sum()) for case in offered)
    wanted = settings.count or COUNT
    if settings.kind == "slices" and (settings.count or 0) > free_slices:
        raise BadSetting(
            f"{wanted} slices are asked for, but only {free_slices} of those in {settings.images} are "
            "not annotated yet.",
            "Ask for fewer with --count, or add images.",
        )
    if not (free_slices if settings.kind != "cases" else free_cases):
        raise BadFolder(
            f"All {len(offered)} usable cases in {settings.images} are annotated already.", "Add images."
        )
    suggestions = []
    if settings.kind != "slices":
        suggestions += suggest_cases(cases, min(wanted, free_cases), how)
    if settings.kind != "cases":
        suggestions += suggest_slices(cases, min(wanted, free_slices), how)
    return suggestions


def _write(
    settings: SuggestSettings, cases: Sequence[SurveyedCase], networks: SurveyNetworks, reporter: Reporter
) -> None:
    suggestions = _suggestions(settings, cases)
    output, run = settings.output, reporter.run
    make_output_folder(output or run.path)
    facts = {
        "strategy": settings.strategy,
        "seed": settings.seed,
        "cases": sum(case.offered for case in cases),
        "annotated": [case.prepared.name for case in cases if case.annotated.any()],
        "with_uncertainty": networks.model is not None,
    }
    table, picture = run.suggestions(folder=output), run.suggestions(suffix="png", folder=output)
    write_atomically(table, to_csv(suggestions))
    write_atomically(run.suggestions(suffix="json", folder=output), to_json(suggestions, **facts))
    draw_contact_sheet(picture, _sheet(suggestions, cases))
    sys.stdout.write(f"{to_text(suggestions)}\n")
    reporter.info(f"Suggestions are in {table}, their picture in {picture}", kind="result", file=str(table))


def _sheet(suggestions: Sequence[Suggestion], cases: Sequence[SurveyedCase]) -> list[tuple[str, list[Shown]]]:
    by_name = {case.prepared.name: case.prepared for case in cases if case.offered}
    groups: dict[str, list[Shown]] = {"case": [], "slice": []}
    for one in suggestions:
        case = by_name[one.case]
        spacing = case.working.spacing_khw
        where = f"slice {one.place.index} along {one.place.axis}" if one.place else "its middle slice"
        groups[one.kind].append(
            Shown(
                case.images[0, one.k],
                spacing[1] / spacing[2],
                f"{one.kind} {one.rank} · score {one.score:.2f}",
                f"{one.case}\n{where}",
            )
        )
    return [("Cases to annotate next", groups["case"]), ("Slices to annotate next", groups["slice"])]
