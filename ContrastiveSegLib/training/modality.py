"""Which kind of images a network learned from, kept for those that it predicts."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.reporter import Reporter

WORDS = {"ct": "CT", "other": "other images"}
LEARNED_FROM = ("train", "validation")
SHOWN = 3


def keep_modality(asked: Intensities, outcomes: Sequence[Outcome], reporter: Reporter) -> Intensities:
    """How gray values are scaled from now on: as those that were learned from, if these were all of one kind.

    One case alone cannot tell: a CT that was cropped or clamped shows no air. Where several kinds are mixed,
    each case is scaled as it looks, and the user is told.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.prepared:
            found[outcome.modality].append(outcome.case.name)
    if len(found) > 1:
        reporter.warn(_mixed(found))
    return _settled(asked, found)


def modality_learned(asked: Intensities, run: RunFolder, model: ModelFolder) -> Intensities:
    """The same for a round whose model does not say it, from the cases that were written down."""
    try:
        with run.cases_of(model).open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row.get("role") in LEARNED_FROM]
    except (OSError, UnicodeDecodeError, csv.Error):
        return asked  # a model that came without its cases: each image is scaled as it looks
    return _settled(asked, {row.get("modality") or "": [] for row in rows})


def _settled(asked: Intensities, found: Mapping[str, Sequence[str]]) -> Intensities:
    if asked.modality != "auto" or asked.window or len(found) != 1:
        return asked
    (only,) = found
    return replace(asked, modality=only) if only in WORDS else asked


def _mixed(found: Mapping[str, Sequence[str]]) -> str:
    kinds = "; ".join(
        f"{_listed(names)} like {WORDS.get(kind, kind)}" for kind, names in sorted(found.items())
    )
    return (
        f"The gray values of these cases are of several kinds, and each is scaled as it looks: {kinds}. If "
        "all are CT, say --modality ct; if they are of several kinds, one network for each learns better."
    )


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"
