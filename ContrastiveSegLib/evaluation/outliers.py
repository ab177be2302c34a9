"""Predictions that are unlike those of the other cases: by how much, and in which measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

# Beyond that many robust standard deviations a case is an outlier (Iglewicz and Hoaglin, 1993).
FARTHEST = 3.5
# Of the median absolute deviation, to be that of a normal distribution.
TO_SD = 1.4826


def find_outliers(
    figures: Sequence[Mapping[str, float]], smallest_spread: Mapping[str, float]
) -> list[list[str]]:
    """The names of the figures in which each case is far from the median of all.

    Args:
        figures: The same figures of each case; nan where a case has none, which is no outlier.
        smallest_spread: Differences that are nothing to speak of, for each measure.
    """
    odd: list[list[str]] = [[] for _ in figures]
    for name in figures[0] if figures else ():
        values = np.array([case[name] for case in figures], float)
        there = values[np.isfinite(values)]
        if not there.size:
            continue
        median = np.median(there)
        spread = max(TO_SD * float(np.median(np.abs(there - median))), smallest_spread[name])
        for names, value in zip(odd, values, strict=True):
            if np.isfinite(value) and abs(value - median) > FARTHEST * spread:
                names.append(name)
    return odd
