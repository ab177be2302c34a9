"""Cases and slices of a collection, ranked by what annotating them would add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.active_learning.features import Features, case_feature, comparable
from ContrastiveSegLib.active_learning.reasons import reason
from ContrastiveSegLib.active_learning.representatives import Collection, Pick, choose, nearest
from ContrastiveSegLib.active_learning.slice_positions import Place, place_of
from ContrastiveSegLib.active_learning.uncertainty import ranks
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SurveyedCase:
    """A case with all that a suggestion rests on.

    Args:
        features: (K, D) of its slices.
        annotated: (K,) Which of them are annotated.
        offered: Whether it may be suggested; others only count as covered.
        uncertainty: (K,) of a first model, or None without one.
    """

    prepared: PreparedCase
    features: Features
    annotated: npt.NDArray[np.bool_]
    offered: bool = True
    uncertainty: Floats | None = None


@dataclass(frozen=True)
class How:
    """How suggestions are made."""

    strategy: str
    seed: int


@dataclass(frozen=True)
class Suggestion:
    """A case, or a slice of one.

    Args:
        place: Of the slice in its image; None for a case.
        k: Slice of the working grid to show.
        share: Part of the collection that it stands for, 0...1.
        novelty: How far it is from all annotated ones, as a rank 0...1; None where nothing is annotated.
        uncertainty: Mean entropy of a first model, 0...1; None without one.
    """

    rank: int
    kind: str
    case: str
    patient: str
    place: Place | None
    k: int
    score: float
    share: float
    novelty: float | None
    uncertainty: float | None
    reason: str


def suggest_cases(cases: Sequence[SurveyedCase], count: int, how: How) -> list[Suggestion]:
    """The cases to annotate next; one that is annotated in part is not among them."""
    features = comparable([case.features for case in cases])
    items = [
        _Item(case, case.prepared.shape[0] // 2, case_feature(each), bool(case.annotated.any()), _mean(case))
        for case, each in zip(cases, features, strict=True)
    ]
    return _suggest("case", items, count, how)


def suggest_slices(cases: Sequence[SurveyedCase], count: int, how: How) -> list[Suggestion]:
    """The slices to annotate next, of any case that is not annotated there."""
    features = comparable([case.features for case in cases])
    items = [
        _Item(case, k, each[k], bool(case.annotated[k]), _at(case, k))
        for case, each in zip(cases, features, strict=True)
        for k in range(len(each))
        # Slices that are neither annotated nor offered belong to somebody else's collection.
        if case.offered or case.annotated[k]
    ]
    return _suggest("slice", items, count, how)


@dataclass(frozen=True, eq=False)
class _Item:
    """A case, shown by its slice k, or a slice."""

    of: SurveyedCase
    k: int
    feature: Features
    covered: bool
    uncertainty: float | None


def _at(case: SurveyedCase, k: int) -> float | None:
    return None if case.uncertainty is None else float(case.uncertainty[k])


def _mean(case: SurveyedCase) -> float | None:
    return None if case.uncertainty is None else float(case.uncertainty.mean())


def _suggest(kind: str, items: Sequence[_Item], count: int, how: How) -> list[Suggestion]:
    features = np.stack([item.feature for item in items])
    covered = np.array([item.covered for item in items])
    doubts = [item.uncertainty for item in items if item.uncertainty is not None]
    urgency = ranks(np.array(doubts)) if doubts else None
    collection = Collection(features, [item.of.prepared.patient for item in items], covered, urgency)
    novelty, alike = _novelty(features, covered)
    suggestions = []
    for rank, pick in enumerate(choose(collection, count, strategy=how.strategy, seed=how.seed), start=1):
        item = items[pick.index]
        new = None if novelty is None else float(novelty[pick.index])
        words = reason(
            kind,
            pick,
            strategy=how.strategy,
            novelty=new,
            nearest="" if new is None else items[alike[pick.index]].of.prepared.name,
            doubt=None if urgency is None else float(urgency[pick.index]),
        )
        suggestions.append(_suggestion(rank, kind, item, pick, new, words))
    return suggestions


def _suggestion(
    rank: int, kind: str, item: _Item, pick: Pick, novelty: float | None, words: str
) -> Suggestion:
    case = item.of.prepared
    return Suggestion(
        rank,
        kind,
        case.name,
        case.patient,
        place_of(case, item.k) if kind == "slice" else None,
        item.k,
        pick.score,
        pick.share,
        novelty,
        item.uncertainty,
        words,
    )


def _novelty(
    features: Features, covered: npt.NDArray[np.bool_]
) -> tuple[Floats | None, npt.NDArray[np.int64]]:
    """How far each item is from all covered ones, as a rank among those not covered; and the nearest one."""
    places = np.flatnonzero(covered)
    if not len(places):
        return None, places
    distance, which = nearest(features, features[places])
    rank = np.zeros(len(features))
    rank[~covered] = ranks(distance[~covered])
    return rank, places[which]
