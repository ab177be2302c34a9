"""Whether a training has collapsed: judged by the course of all its terms, not by one look at one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

COLLAPSED_LOSS = 1e-3  # distance from the loss that equal features have, as a part of it
COLLAPSED_SPREAD = 0.02  # of the directions of features: cosines above 0.9996; fresh networks have 0.1 to 0.2
FALL = 0.01  # of a term's first value; a term that fell by more has learned something
LEAVING = (
    1.2  # by this factor the later half of what is judged must be farther from collapse, to be leaving it
)
BINS = 50  # a training is remembered in so many parts, however long it is
JUDGED_FROM = 10  # parts that pass before anything is said
RECENT = 6  # parts that are judged
FIRST = 2  # parts that the recent ones are compared with

ABOVE_CHANCE, SPREAD = "above_chance_level", "spread"
SAME_LOSS, SAME_FEATURES = "the loss stays at the value it has", "they are what they would be"


class CollapseWatch:
    """Remembers the means of all terms, and says whether the features have collapsed.

    Args:
        steps: Of the whole training.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.names: tuple[str, ...] = ()
        self._sums: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self._weights: dict[int, float] = defaultdict(float)

    def take(
        self, step: int, terms: Mapping[str, float], watched: Mapping[str, float], *, weight: int = 1
    ) -> None:
        """Remember a report.

        Args:
            terms: Of the loss; the first one is that whose value at collapse is known.
            weight: Over how many steps the values are means.
        """
        part = min(BINS - 1, (step - 1) * BINS // max(1, self.steps))
        self.names = tuple(terms)
        distances = {name: abs(watched[name]) for name in (ABOVE_CHANCE, SPREAD) if name in watched}
        for name, value in {**terms, **distances}.items():
            self._sums[name][part] += weight * value
        self._weights[part] += weight

    def reason(self, step: int) -> str:
        """What shows a collapse, "" if nothing does.

        A term at its collapse value shows none while another term falls: the network learns, and the term
        may follow. Where features are watched and have become equal, falling terms are no excuse: networks
        that are their own teachers lower their loss by collapsing.
        """
        if step < JUDGED_FROM * self.steps / BINS:
            return ""
        if self._stays_below(SPREAD, COLLAPSED_SPREAD):
            return SAME_FEATURES
        learns = any(self._has_fallen(name) for name in self.names[1:])
        return SAME_LOSS if not learns and self._stays_below(ABOVE_CHANCE, COLLAPSED_LOSS) else ""

    def _stays_below(self, name: str, limit: float) -> bool:
        """Whether the recent values are below a limit, and not on their way out."""
        parts = sorted(self._sums[name])[-RECENT:]
        if not parts or self._mean(name, parts) >= limit:
            return False
        half = (len(parts) + 1) // 2
        earlier, later = self._mean(name, parts[:half]), self._mean(name, parts[-half:])
        if later <= LEAVING * max(earlier, limit / 10):
            return True
        return later + (later - earlier) / half * (BINS - parts[-1]) < limit  # too slow to get out in time

    def _has_fallen(self, name: str) -> bool:
        """Whether a term is lower now than at the start; after a resumption nobody knows, and it may be."""
        parts = sorted(self._sums[name])
        if parts[0] >= JUDGED_FROM:
            return True
        before = self._mean(name, parts[:FIRST])
        return before - self._mean(name, parts[-RECENT:]) > FALL * abs(before)

    def _mean(self, name: str, parts: list[int]) -> float:
        return sum(self._sums[name][p] for p in parts) / sum(self._weights[p] for p in parts)
