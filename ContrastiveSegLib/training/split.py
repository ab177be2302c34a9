"""Which patients are learned from, and which are kept to judge what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase

PATIENTS_WORTH_VALIDATING = 10
SHARE_FOR_VALIDATION = 0.2


def split_patients(
    cases: Sequence[PreparedCase], share: float | None, *, seed: int
) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """Training and validation cases; all cases of a patient stay together.

    Args:
        share: Of the patients, for validation; None: a fifth if there are at least ten, otherwise none,
            because then every annotation is worth more in training.
    """
    patients = sorted({case.patient for case in cases})
    if share is None:
        share = SHARE_FOR_VALIDATION if len(patients) >= PATIENTS_WORTH_VALIDATING else 0.0
    count = min(round(share * len(patients)), len(patients) - 1)
    chosen = set(np.random.default_rng(seed).permutation(patients)[:count])
    return (
        [case for case in cases if case.patient not in chosen],
        [case for case in cases if case.patient in chosen],
    )


def weighted(
    training: Sequence[PreparedCase],
    further: Sequence[PreparedCase],
    validation: Sequence[PreparedCase],
    *,
    times: int,
) -> list[PreparedCase]:
    """The training cases, drawn so many times as often, and further ones; no patient that is validated on."""
    held_out = {case.patient for case in validation}
    more = [case for case in further if case.patient not in held_out]
    return [*(replace(case, weight=times) for case in training), *more]
