"""When to stop following a structure: it became too small, jumped away, or is doubted."""

from __future__ import annotations

from dataclasses import dataclass

from ContrastiveSegLib.propagation.acceptance import overlap_of
from ContrastiveSegLib.sam._model import Mask


@dataclass(frozen=True)
class StopRules:
    """What ends a walk for one structure.

    Args:
        smallest_area: Share of the area in the annotated slice; below it twice in a row is the end.
        smallest_overlap: Intersection over union with the slice before.
        smallest_score: How sure the propagator is, 0...1.
        largest_growth: Times the area in the slice before; more is another structure.
        shrunk: Share of the area in the annotated slice; what was smaller than that is about to end ...
        largest_regrowth: ... and does not grow again by more than this.
    """

    smallest_area: float = 0.05
    smallest_overlap: float = 0.1
    smallest_score: float = 0.5
    largest_growth: float = 4.0
    shrunk: float = 0.5
    largest_regrowth: float = 1.4


@dataclass(frozen=True)
class Track:
    """A structure on its way: its area where it was annotated, and for how many slices it has been small."""

    area_at_key: int
    small_for: int = 0


def reason_to_stop(mask: Mask, before: Mask, score: float, track: Track, rules: StopRules) -> str:
    """Why a structure ends before this slice; "" if it goes on."""
    area, area_before = int(mask.sum()), int(before.sum())
    if area == 0:
        return "nothing was found"
    if is_small(area, track, rules) and track.small_for >= 1:
        return f"below {rules.smallest_area:.0%} of the annotated area in two slices"
    if score < rules.smallest_score:
        return f"its score is {score:.2f}"
    if area > rules.largest_growth * area_before:
        return f"{area / area_before:.1f} times the area of the slice before"
    if area_before < rules.shrunk * track.area_at_key and area > rules.largest_regrowth * area_before:
        return f"{area / area_before:.1f} times the slice before, after it had nearly ended"
    overlap = overlap_of(mask, before)
    if overlap < rules.smallest_overlap:
        return f"overlap {overlap:.2f} with the slice before"
    return ""


def is_small(area: int, track: Track, rules: StopRules) -> bool:
    """Whether so little is left that the structure is about to end."""
    return area < rules.smallest_area * track.area_at_key
