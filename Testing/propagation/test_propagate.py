"""From one slice to a volume: an ellipsoid is found and left again, each structure ends where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ContrastiveSegLib.propagation.prompts import box_around
from ContrastiveSegLib.propagation.propagate import decide, largest_components, propagate
from ContrastiveSegLib.propagation.stopping import StopRules, Track, reason_to_stop
from ContrastiveSegLib.sam._model import Answer, Prompt, PromptableModel

SHAPE = (21, 40, 50)
RULES = StopRules()


@dataclass
class Boxes:
    """The simplest propagator: asks in each slice for a box around what was found in the slice before."""

    model: PromptableModel
    slices: np.ndarray | None = None

    def start(self, slices: np.ndarray, key: int, masks: Mapping[int, np.ndarray]) -> Any:  # noqa: ARG002
        return Boxes(self.model, slices)

    def step(self, k: int, before: Mapping[int, np.ndarray]) -> dict[int, Answer]:
        encoded = self.model.encode(self.slices[k])
        prompts = [Prompt(box_around(mask, 3)) for mask in before.values()]
        return dict(zip(before, self.model.predict(encoded, prompts), strict=True))


def ellipsoid(center: tuple[int, int, int], radii: tuple[float, float, float]) -> np.ndarray:
    places = np.indices(SHAPE).astype(float)
    squares = [((p - c) / r) ** 2 for p, c, r in zip(places, center, radii, strict=True)]
    inside: np.ndarray = sum(squares) <= 1
    return inside


def carried(
    propagator: Any, slices: np.ndarray, key: int, labels: np.ndarray
) -> tuple[np.ndarray, list[Any]]:
    volume, lines = np.zeros(slices.shape, int), []
    for k, found, more in propagate(propagator, slices, key, labels, RULES):
        volume[k] = found
        lines += more
    return volume, lines


def test_an_ellipsoid_is_followed_to_within_a_slice_of_its_ends(a_model: Any) -> None:
    organ = ellipsoid((10, 20, 25), (7, 12, 14))
    slices = np.where(organ, 200, 40).astype(np.uint8)

    volume, lines = carried(Boxes(a_model), slices, 10, np.where(organ[10], 3, 0))

    ends = np.flatnonzero((volume == 3).any(axis=(1, 2)))
    true = np.flatnonzero(organ.any(axis=(1, 2)))
    assert abs(ends[0] - true[0]) <= 1
    assert abs(ends[-1] - true[-1]) <= 1
    assert 2 * ((volume == 3) & organ).sum() / ((volume == 3).sum() + organ.sum()) > 0.98
    assert [line.slice < 10 for line in lines if line.reason] == [True, False]


def test_slices_beyond_the_ends_are_not_looked_at_and_each_other_once(a_model: Any) -> None:
    organ = ellipsoid((10, 20, 25), (4.5, 12, 14))
    slices = np.where(organ, 200, 40).astype(np.uint8)

    carried(Boxes(a_model), slices, 10, np.where(organ[10], 1, 0))

    # Four slices each way, and one on each side that shows the end.
    assert a_model.encoded == 10


def test_several_structures_go_their_own_ways(a_model: Any) -> None:
    long, short = ellipsoid((10, 20, 12), (9, 8, 8)), ellipsoid((10, 20, 38), (4, 8, 8))
    slices = np.where(long | short, 200, 40).astype(np.uint8)
    labels = np.where(long[10], 1, 0) + np.where(short[10], 2, 0)

    volume, _ = carried(Boxes(a_model), slices, 10, labels)

    for value, organ in ((1, long), (2, short)):
        found = np.flatnonzero((volume == value).any(axis=(1, 2)))
        true = np.flatnonzero(organ.any(axis=(1, 2)))
        assert np.abs(found[[0, -1]] - true[[0, -1]]).max() <= 1


def test_the_annotated_slice_is_kept_as_it_was_drawn(a_model: Any) -> None:
    organ = ellipsoid((10, 20, 25), (7, 12, 14))
    drawn = np.where(ellipsoid((10, 21, 25), (7, 10, 14))[10], 7, 0)

    volume, lines = carried(Boxes(a_model), np.where(organ, 200, 40).astype(np.uint8), 10, drawn)

    np.testing.assert_array_equal(volume[10], drawn)
    (own,) = [line for line in lines if line.slice == 10]
    assert (own.score, own.confidence, own.area) == (1, 1, (drawn > 0).sum())


def test_confidence_falls_along_the_way(a_model: Any) -> None:
    organ = ellipsoid((10, 20, 25), (7, 12, 14))

    _, lines = carried(
        Boxes(a_model), np.where(organ, 200, 40).astype(np.uint8), 10, np.where(organ[10], 1, 0)
    )

    up = [line.confidence for line in lines if line.slice > 10 and not line.reason]
    np.testing.assert_allclose(up, 0.9 ** np.arange(1, len(up) + 1))


@pytest.mark.parametrize("key", [0, 20])
def test_an_annotation_at_the_end_of_the_volume_goes_one_way_only(a_model: Any, key: int) -> None:
    slices = np.zeros(SHAPE, np.uint8)
    slices[:, 10:30, 10:30] = 200

    volume, _ = carried(Boxes(a_model), slices, key, np.where(slices[key] > 0, 1, 0))

    assert (volume > 0).any(axis=(1, 2)).all()


def test_the_memory_of_a_propagator_is_made_once_for_each_way() -> None:
    class Remembering:
        started: list[int] = []  # noqa: RUF012 - read by the test

        def start(self, slices: np.ndarray, key: int, masks: Mapping[int, np.ndarray]) -> Any:  # noqa: ARG002
            self.started.append(key)
            return self

        def step(self, k: int, before: Mapping[int, np.ndarray]) -> dict[int, Answer]:  # noqa: ARG002
            return {v: Answer(np.where(m, 1.0, -1.0), 1.0, m) for v, m in before.items()}

    labels = np.zeros(SHAPE[1:], int)
    labels[10:20, 10:20] = 1
    propagator = Remembering()

    volume, _ = carried(propagator, np.zeros(SHAPE, np.uint8), 4, labels)

    assert propagator.started == [4, 4]
    assert (volume == labels).all()


def square(side: int, corner: int = 0) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[corner : corner + side, corner : corner + side] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "before", "score", "small_for", "reason"),
    [
        (square(10), square(10), 0.9, 0, ""),
        (square(0), square(10), 0.9, 0, "nothing was found"),
        (square(2), square(2), 0.9, 0, ""),
        (square(2), square(2), 0.9, 1, "below 5% of the annotated area in two slices"),
        (square(10), square(10), 0.4, 0, "its score is 0.40"),
        (square(30), square(10), 0.9, 0, "9.0 times the area of the slice before"),
        (square(9), square(7), 0.9, 0, "1.7 times the slice before, after it had nearly ended"),
        (square(8), square(7), 0.9, 0, ""),
        (square(10, 8), square(10), 0.9, 0, "overlap 0.02 with the slice before"),
    ],
)
def test_every_rule_stops_with_its_reason(
    mask: np.ndarray, before: np.ndarray, score: float, small_for: int, reason: str
) -> None:
    assert reason_to_stop(mask, before, score, Track(100, small_for), RULES) == reason


def test_the_surer_structure_has_the_pixel_and_nobody_an_unclaimed_one() -> None:
    one = Answer(np.array([[2.0, 1.0, -1.0]]), 1, np.zeros(1))
    other = Answer(np.array([[1.0, 3.0, -2.0]]), 1, np.zeros(1))

    found = decide({4: one, 9: other})

    assert found[4].tolist() == [[True, False, False]]
    assert found[9].tolist() == [[False, True, False]]


def test_components_that_do_not_reach_the_annotated_slice_are_removed() -> None:
    labels = np.zeros((6, 8, 8), int)
    labels[1:4, 2:4, 2:4] = 1
    labels[5, 6, 6] = 1
    labels[4, 3, 4] = 2

    kept = largest_components(labels, 2)

    assert (kept == 1).sum() == 12
    assert (kept == 2).sum() == 0
