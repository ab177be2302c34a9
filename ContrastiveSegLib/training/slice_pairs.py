"""Which other slices come along with each slice: its neighbor, or a positive and a negative example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase

Place = tuple[int, int]  # index of the case, slice k
Flags = Mapping[str, npt.NDArray[np.bool_]]  # case name to (K,): whether the slice shows the organ


class Partners(ABC):
    """Chooses slices that come with a slice; the tables are made once, a draw costs next to nothing.

    Attributes:
        count: How many come with each slice.
    """

    count: int

    @abstractmethod
    def arrange(self, cases: Sequence[PreparedCase], flags: Flags) -> list[Place]:
        """Make the tables; returns the slices that have all their partners.

        Args:
            flags: Empty unless the method needs them; cases without flags then take no part.
        """

    @abstractmethod
    def draw(self, random: np.random.Generator, place: Place) -> list[Place]:
        """The partners of a slice that `arrange` returned."""


class Neighbor(Partners):
    """The slice above or below.

    Source: Liu et al., SimTriplet, MICCAI 2021, arXiv 2103.05585, carried over from adjacent patches of
    histology to adjacent slices (docs/methods/index.md).
    """

    count = 1

    def arrange(self, cases: Sequence[PreparedCase], flags: Flags) -> list[Place]:  # noqa: ARG002
        self.slices = [case.shape[0] for case in cases]
        return [(c, k) for c, n in enumerate(self.slices) for k in range(n) if n > 1]

    def draw(self, random: np.random.Generator, place: Place) -> list[Place]:
        c, k = place
        options = [other for other in (k - 1, k + 1) if 0 <= other < self.slices[c]]
        return [(c, options[random.integers(len(options))])]


class Triplet(Partners):
    """A positive and a negative slice for each anchor, drawn anew every time.

    Source: docs/methods/polycl.md, with tables in place of repeated tries.

    Args:
        selection: "S": positive from the same scan, negative from another. "O": positive shows the organ
            if the anchor does, negative does not, any scan. "M": positive from the same scan with the same
            flag, negative with the other flag.
        negative: For "M": from the same scan (the paper's figure) or from another (the authors' code).
        central: Part of each scan, around its middle, that takes part.
    """

    count = 2

    def __init__(
        self,
        selection: Literal["S", "O", "M"],
        negative: Literal["same_scan", "other_scan"] = "other_scan",
        central: float = 1.0,
    ) -> None:
        self.selection, self.negative, self.central = selection, negative, central

    def arrange(self, cases: Sequence[PreparedCase], flags: Flags) -> list[Place]:
        self.flag: dict[Place, bool] = {}
        self.groups: dict[object, list[Place]] = defaultdict(list)
        for c, case in enumerate(cases):
            if self.selection != "S" and case.name not in flags:
                continue
            left_out = round((1 - self.central) / 2 * case.shape[0])
            for k in range(left_out, case.shape[0] - left_out):
                place, flag = (c, k), self.selection != "S" and bool(flags[case.name][k])
                self.flag[place] = flag
                for key in (("scan", c), ("flag", flag), ("scan and flag", c, flag), "all"):
                    self.groups[key].append(place)
        return [place for place in self.flag if self._has_partners(place)]

    def draw(self, random: np.random.Generator, place: Place) -> list[Place]:
        positives = self.groups[self._positives(place)]
        # The anchor is the one to leave out: whoever draws the last takes its place instead.
        n = random.integers(len(positives) - 1)
        positive = positives[n] if positives[n] != place else positives[-1]
        key, without_scan = self._negatives(place)
        negatives = self.groups[key]
        if not without_scan:
            return [positive, negatives[random.integers(len(negatives))]]
        while True:  # the slices of one scan are few among all, and there is one of another (`_has_partners`)
            negative = negatives[random.integers(len(negatives))]
            if negative[0] != place[0]:
                return [positive, negative]

    def _positives(self, place: Place) -> object:
        c, flag = place[0], self.flag[place]
        return {"S": ("scan", c), "O": ("flag", flag), "M": ("scan and flag", c, flag)}[self.selection]

    def _negatives(self, place: Place) -> tuple[object, bool]:
        """The group of negatives, and whether slices of the anchor's own scan are to be left out."""
        c, other = place[0], not self.flag[place]
        if self.selection == "S":
            return "all", True
        if self.selection == "O" or self.negative == "other_scan":
            return ("flag", other), self.selection == "M"
        return ("scan and flag", c, other), False

    def _has_partners(self, place: Place) -> bool:
        c, key = place[0], self._negatives(place)[0]
        negatives = self._size(key)
        if self._negatives(place)[1]:
            negatives -= self._size(
                ("scan", c) if key == "all" else ("scan and flag", c, not self.flag[place])
            )
        return self._size(self._positives(place)) > 1 and negatives > 0

    def _size(self, key: object) -> int:
        return len(self.groups.get(key, ()))
