"""Look at every case with the pre-trained encoder, and with a first model if there is one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.active_learning.annotated_slices import annotated_slices
from ContrastiveSegLib.active_learning.features import slice_features
from ContrastiveSegLib.active_learning.suggestions import SurveyedCase
from ContrastiveSegLib.active_learning.uncertainty import slice_uncertainty
from ContrastiveSegLib.distributed.collectives import rows_on_first
from ContrastiveSegLib.distributed.processes import count
from ContrastiveSegLib.distributed.work_division import gather_results, own_cases, processes_without_work
from ContrastiveSegLib.errors import BadFile, Cancelled
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe, prepare_cases
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.training.data import nothing_left
from ContrastiveSegLib.training.fine_tuned import other_channels


@dataclass(frozen=True)
class SurveyNetwork:
    """A network and how cases are prepared for it."""

    network: Backbone
    recipe: Recipe


@dataclass(frozen=True)
class SurveyNetworks:
    """What looks at the cases.

    Args:
        encoder: Its features are compared.
        model: Its uncertainty counts; None before a first fine-tuning.
    """

    encoder: SurveyNetwork
    model: SurveyNetwork | None
    compute: Compute


def survey(
    outcomes: Sequence[Outcome],
    annotated: Mapping[str, Outcome],
    networks: SurveyNetworks,
    folder: Path,
    reporter: Reporter,
) -> tuple[list[SurveyedCase], dict[str, str]]:
    """Features, annotations and uncertainty of every case that can be used, shared out over the processes.

    Args:
        outcomes: The cases to choose from, prepared for the encoder.
        annotated: Case name to what is annotated; cases from elsewhere count as covered.

    Returns:
        The cases, in the first process alone, and for the name of each that is left out the reason.

    Raises:
        BadFolder: No case is left.
        Cancelled: The user asked to stop.
        ProcessLost: Another process has failed.
    """
    names = {outcome.case.name for outcome in outcomes if outcome.prepared}
    elsewhere = [outcome for name, outcome in annotated.items() if name not in names]
    everything = [(o, True) for o in outcomes if o.prepared] + [(o, False) for o in elsewhere]
    own: dict[int, SurveyedCase | str] = {}
    shares = own_cases([math.prod(_usable(outcome).shape) for outcome, _ in everything])
    if idle := processes_without_work(len(everything)):
        reporter.info(idle)
    with reporter.bar(len(shares), "case") as advance:
        for number in shares:
            if reporter.cancelled():
                raise Cancelled("The suggestion was cancelled; nothing was written.", "Start it again.")
            outcome, offered = everything[number]
            name = outcome.case.name
            case, reason = attempt(name, _one, outcome, annotated.get(name), offered, networks, folder)
            own[number] = reason if case is None else case
            if case is not None:
                reporter.log_event("surveyed", case=name)
            advance(1)
    return _of_all(own, everything, reporter)


def _of_all(
    own: Mapping[int, SurveyedCase | str], everything: Sequence[tuple[Outcome, bool]], reporter: Reporter
) -> tuple[list[SurveyedCase], dict[str, str]]:
    """What all processes saw; the reasons reach each of them, the features the first one alone.

    Raises:
        BadFolder: No case is left.
    """
    every = gather_results({n: case if isinstance(case, str) else "" for n, case in own.items()})
    reasons = {everything[number][0].case.name: why for number, why in sorted(every.items()) if why}
    for name, why in reasons.items():
        reporter.warn(f"{name} is left out: {why}", case=name)
    if all(every[number] for number, (_, offered) in enumerate(everything) if offered):
        raise nothing_left(everything[0][0].case.images[0].parent, [*reasons.values()])
    seen = {number: case for number, case in own.items() if not isinstance(case, str)}
    if count() > 1:
        rows = rows_on_first({number: _as_rows(case) for number, case in seen.items()})
        seen = {number: _from_rows(each, *everything[number]) for number, each in rows.items()}
    return [seen[number] for number in sorted(seen)], reasons


def _as_rows(case: SurveyedCase) -> npt.NDArray[np.float64]:
    """(K, D + 2) of each slice: its features, whether it is annotated, its uncertainty or nan."""
    doubts = np.full(len(case.features), np.nan) if case.uncertainty is None else case.uncertainty
    return np.column_stack([case.features, case.annotated, doubts]).astype(np.float64)


def _from_rows(rows: npt.NDArray[np.float64], outcome: Outcome, offered: bool) -> SurveyedCase:
    doubts = None if np.isnan(rows[:, -1]).all() else rows[:, -1]
    features = np.asarray(rows[:, :-2], np.float32)
    return SurveyedCase(_usable(outcome), features, rows[:, -2] > 0, offered, doubts)


def _one(
    outcome: Outcome, annotated: Outcome | None, offered: bool, networks: SurveyNetworks, folder: Path
) -> SurveyedCase:
    case = _usable(outcome)
    encoder, model, device = networks.encoder, networks.model, networks.compute.device
    if case.channels != encoder.network.in_channels:
        raise other_channels(case.name, case.channels, encoder.network.in_channels)
    slices = case.shape[0]
    doubts = None
    if model is not None:
        seen = _prepared_for(model, outcome, encoder, folder)
        predictor = Predictor(model.network, model.recipe.grid.patch, networks.compute)
        doubts = slice_uncertainty(predictor, seen.images, slices=slices)
    features = slice_features(encoder.network, case.images, encoder.recipe.grid.patch, device)
    return SurveyedCase(case, features, annotated_slices(annotated, slices), offered, doubts)


def _prepared_for(
    model: SurveyNetwork, outcome: Outcome, encoder: SurveyNetwork, folder: Path
) -> PreparedCase:
    """The case on the model's grid, which is that of the encoder unless the user changed it in between."""
    if model.recipe == encoder.recipe:
        return _usable(outcome)
    return _usable(prepare_cases([outcome.case], folder, model.recipe)[0])


def _usable(outcome: Outcome) -> PreparedCase:
    if outcome.prepared is None:
        raise BadFile(outcome.reason, "Leave the case out.")
    return outcome.prepared
