"""Prepare the cases of a folder with a progress bar, shared out where several processes do a job."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ContrastiveSegLib.distributed.coordination import check_alike, first_process_first, wait_for_all
from ContrastiveSegLib.distributed.processes import count
from ContrastiveSegLib.distributed.work_division import own_cases
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe, prepare_cases
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.training.data import Found, losses, nothing_left, report_losses, warn_of_headers

Prepare = Callable[[Found, Path, Recipe, Reporter], list[Outcome]]


def prepare_all(found: Found, folder: Path, recipe: Recipe, reporter: Reporter) -> list[Outcome]:
    """Prepare every case with a progress bar; warn of each that cannot be used, and if these are most.

    Raises:
        BadFolder: Not one case can be used.
    """
    outcomes = prepare_each(found, folder, recipe, reporter, judged=_with_equal_channels)
    if not any(outcome.prepared for outcome in outcomes):
        raise nothing_left(found.cases[0].images[0].parent, [outcome.reason for outcome in outcomes])
    return outcomes


def prepare_together(
    found: Found, folder: Path, recipe: Recipe, reporter: Reporter, *, prepare: Prepare = prepare_all
) -> list[Outcome]:
    """Prepare every case, shared out over the processes; each gets the outcomes of all.

    Args:
        prepare: What one process does for all cases; it finds prepared what the others have done.

    Raises:
        BadFolder: Not one case can be used.
        BadSetting: The processes cannot use the same cases.
        ProcessLost: Another process has failed; what it had prepared is complete and stays.
    """
    if count() > 1:
        own = own_cases([math.prod(geometry.shape) for geometry in found.geometries])
        with reporter.bar(len(own), "case") as advance:
            prepare_cases([found.cases[n] for n in own], folder, recipe, on_case=lambda _: advance(1))
        wait_for_all()
    with first_process_first():
        outcomes = prepare(found, folder, recipe, reporter)
    check_usable(outcomes)
    return outcomes


def check_usable(outcomes: Sequence[Outcome]) -> None:
    """Make sure that all processes can use the same cases.

    Raises:
        BadSetting: Names one that they cannot.
    """
    check_alike("usable cases", {outcome.case.name: outcome.prepared is not None for outcome in outcomes})


def prepare_each(
    found: Found,
    folder: Path,
    recipe: Recipe,
    reporter: Reporter,
    *,
    judged: Callable[[list[Outcome]], list[Outcome]],
) -> list[Outcome]:
    """Prepare every case with a progress bar; warn of each that cannot be used, even if it is all of them.

    Args:
        judged: Leaves out what does not go together, with a reason.
    """
    warn_of_headers(found, reporter)
    reporter.log_event("preparing", cases=len(found.cases))
    with reporter.bar(len(found.cases), "case") as advance:
        done = itertools.count(1)

        def on_case(outcome: Outcome) -> None:
            advance(1)
            reporter.log_event(
                "prepared",
                case=outcome.case.name,
                reason=outcome.reason,
                number=next(done),
                cases=len(found.cases),
            )

        outcomes = judged(prepare_cases(found.cases, folder, recipe, on_case=on_case))
    reporter.warn_all(
        [f"{o.case.name}: {sentence}" for o in outcomes for sentence in (*o.notes, o.reason) if sentence]
    )
    report_losses(losses(found, outcomes), reporter)
    return outcomes


def _with_equal_channels(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Leave out the cases whose number of channels is not that of the majority."""
    counts = Counter(outcome.prepared.channels for outcome in outcomes if outcome.prepared)
    expected = counts.most_common(1)[0][0] if counts else 0

    def checked(outcome: Outcome) -> Outcome:
        if outcome.prepared is None or outcome.prepared.channels == expected:
            return outcome
        reason = f"It has {outcome.prepared.channels} channels, most cases have {expected}."
        return replace(outcome, prepared=None, reason=reason, failed=True)

    return [checked(outcome) for outcome in outcomes]
