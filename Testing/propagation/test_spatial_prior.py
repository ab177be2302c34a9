"""Where structures are expected: a border deviates a little, a wall goes with what it surrounds."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.propagation.filled_contours import contours_in
from ContrastiveSegLib.propagation.spatial_prior import (
    DEEPEST,
    FARTHEST,
    MOVED,
    around,
    expected,
    thickness_of,
    with_holes,
    with_nested_moved,
)
from Testing.propagation import drawings
from Testing.propagation.drawings import dice

SHAPE = (60, 60)


def disk(radius: float, column: int = 30) -> np.ndarray:
    return drawings.disk(SHAPE, (30, column), radius)


def ring_and_chamber(radius: float, outer: float, column: int = 30) -> np.ndarray:
    labels = np.where(disk(outer, column=column), 2, 0).astype(np.int32)
    labels[disk(radius, column=column)] = 3
    return labels


def test_one_unit_is_the_reach_on_either_side_of_a_border() -> None:
    labels = np.zeros(SHAPE, np.int32)
    labels[:, 30:] = 4

    background, structure = expected(labels, [0, 4], reach=5.0)

    # Hand values: the tenth pixel inside is ten pixels from the nearest one outside.
    assert structure[30, 39] == 2.0
    assert structure[30, 24] == pytest.approx(-6 / 5)
    np.testing.assert_allclose(background[30, 20:40], -structure[30, 20:40])


def test_no_place_is_certain() -> None:
    labels = np.where(disk(20), 1, 0).astype(np.int32)

    scores = expected(labels, [0, 1], reach=1.0)

    assert (scores.min(), scores.max()) == (FARTHEST, DEEPEST)


def test_a_wall_that_was_moved_deviates_less() -> None:
    labels = np.where(disk(20), 1, 0).astype(np.int32)

    far, near = (expected(labels, [1], 10.0, moved)[0] for moved in ((), (1,)))

    assert near[30, 55] == pytest.approx(far[30, 55] / MOVED)


def test_a_hole_without_a_name_gets_one() -> None:
    outer = np.where(disk(15) & ~disk(8), 5, 0).astype(np.int32)

    named = with_holes(outer)

    np.testing.assert_array_equal(named == -5, disk(8))
    np.testing.assert_array_equal(named == 5, outer == 5)
    np.testing.assert_array_equal(with_holes(ring_and_chamber(8, 15)), ring_and_chamber(8, 15))


@pytest.mark.parametrize("named", [True, False])
def test_a_wall_goes_with_what_it_surrounds_at_its_thickness(named: bool) -> None:
    before, now = ring_and_chamber(8, 14), np.where(disk(6, column=33), 3, 0).astype(np.int32)
    if not named:
        before, now = with_holes(np.where(before == 3, 0, before)), np.where(now == 3, -2, now)

    places, moved = with_nested_moved(before, now, {2: 6.0})

    assert moved == (2,)
    np.testing.assert_array_equal(places < 0 if not named else places == 3, disk(6, column=33))
    wanted = disk(12, column=33) & ~disk(6, column=33)
    assert dice(places == 2, wanted) > 0.93


def test_a_wall_whose_inside_was_lost_stays_where_it_was() -> None:
    before = ring_and_chamber(8, 14)

    places, moved = with_nested_moved(before, np.zeros_like(before), {2: 6.0})

    assert moved == ()
    np.testing.assert_array_equal(places, before)


def measured(labels: np.ndarray) -> dict[int, float]:
    return thickness_of(contours_in(np.maximum(labels, 0)), labels)


def test_thickness_is_twice_the_mean_distance_within_the_wall() -> None:
    rows, columns = np.nonzero(disk(14) & ~disk(8))
    away = [np.hypot(*(np.argwhere(disk(8)) - (r, c)).T).min() for r, c in zip(rows, columns, strict=True)]

    found = measured(ring_and_chamber(8, 14))

    assert found == {2: pytest.approx(2 * np.mean(away))}
    assert measured(with_holes(np.where(disk(14) & ~disk(8), 5, 0).astype(np.int32))).keys() == {5}
    assert measured(np.where(disk(8), 3, 0).astype(np.int32)) == {}


def test_a_wall_is_as_thick_as_asked_everywhere() -> None:
    inside = np.zeros((40, 60), bool)
    inside[:, :30] = True

    np.testing.assert_array_equal(np.flatnonzero(around(inside, 6.4)[10]), np.arange(30, 36))


def test_a_wall_that_was_not_annotated_stays_where_it_was() -> None:
    before, now = ring_and_chamber(8, 14), np.where(disk(6, column=33), 3, 0).astype(np.int32)

    places, moved = with_nested_moved(before, now, {})

    assert moved == ()
    np.testing.assert_array_equal(places, before)
