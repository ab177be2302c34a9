"""Look at every case with the pre-trained encoder, and with a first model if there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.active_learning.annotated_slices import annotated_slices
from ContrastiveSegLib.active_learning.features import slice_features
from ContrastiveSegLib.active_learning.suggestions import SurveyedCase
from ContrastiveSegLib.active_learning.uncertainty import slice_uncertainty
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
    """Features, annotations and uncertainty of every case that can be used.

    Args:
        outcomes: The cases to choose from, prepared for the encoder.
        annotated: Case name to what is annotated; cases from elsewhere count as covered.

    Returns:
        The cases, and for the name of each that is left out the reason.

    Raises:
        BadFolder: No case is left.
        Cancelled: The user asked to stop.
    """
    names = {outcome.case.name for outcome in outcomes if outcome.prepared}
    elsewhere = [outcome for name, outcome in annotated.items() if name not in names]
    everything = [(o, True) for o in outcomes if o.prepared] + [(o, False) for o in elsewhere]
    surveyed, reasons = [], {}
    with reporter.bar(len(everything), "case") as advance:
        for outcome, offered in everything:
            if reporter.cancelled():
                raise Cancelled("The suggestion was cancelled; nothing was written.", "Start it again.")
            name = outcome.case.name
            case, reason = attempt(name, _one, outcome, annotated.get(name), offered, networks, folder)
            if case is None:
                reasons[name] = reason
                reporter.warn(f"{name} is left out: {reason}", case=name)
            else:
                surveyed.append(case)
                reporter.log_event("surveyed", case=name)
            advance(1)
    if not any(case.offered for case in surveyed):
        raise nothing_left(outcomes[0].case.images[0].parent, [*reasons.values()])
    return surveyed, reasons


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
