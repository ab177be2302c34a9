"""Annotate only some slices of a completely labeled volume: to measure what a few slices are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadSetting


def evenly(labels: npt.NDArray[Any], count: int) -> tuple[int, ...]:
    """Which slices to annotate: `count` of those that show a structure, from their middle outwards evenly.

    The slices that show a structure are cut into `count` equal parts, and the middle of each is taken. Of a
    volume with fewer such slices all are taken.

    Args:
        labels: (K, H, W), slices along the first axis.

    Raises:
        BadSetting: No slice is asked for.
    """
    if count < 1:
        raise BadSetting(f"{count} annotated slices were asked for.", "Ask for at least one.")
    shown = np.flatnonzero(labels.reshape(len(labels), -1).any(1))
    if len(shown) <= count:
        return tuple(int(k) for k in shown)
    middles = (2 * np.arange(count) + 1) * len(shown) // (2 * count)
    return tuple(int(k) for k in shown[middles])


def keep_slices(labels: npt.NDArray[Any], slices: Sequence[int]) -> npt.NDArray[Any]:
    """A copy of labels (K, H, W) in which all other slices are empty.

    Raises:
        BadSetting: The volume has no such slice.
    """
    beyond = [k for k in slices if not 0 <= k < len(labels)]
    if beyond:
        raise BadSetting(
            f"Slice {beyond[0]} was to be annotated, but the volume has the slices 0 to {len(labels) - 1}.",
            "Correct the number; slices are counted from 0.",
        )
    kept = np.zeros_like(labels)
    kept[list(slices)] = labels[list(slices)]
    return kept
