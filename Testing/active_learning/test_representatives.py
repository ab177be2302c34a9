"""Representatives equal those of slow loops, and what is covered is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.active_learning import representatives
from ContrastiveSegLib.active_learning.representatives import Collection, choose, nearest

STRATEGIES = ("coverage", "typicality", "k_center")


def a_collection(features, *, patients=None, covered=(), urgency=None) -> Collection:
    features = np.asarray(features, np.float32)
    mask = np.zeros(len(features), bool)
    mask[list(covered)] = True
    return Collection(features, patients or [str(n) for n in range(len(features))], mask, urgency)


def three_clouds(sizes=(20, 10, 5), seed=0) -> np.ndarray:
    """Points around (0.8, 0), (-0.8, 0) and (0, 0.8)."""
    random = np.random.default_rng(seed)
    centers = np.array([(0.8, 0), (-0.8, 0), (0, 0.8)])
    return np.concatenate([c + random.normal(0, 0.05, (n, 2)) for c, n in zip(centers, sizes, strict=True)])


def chosen(collection, count, strategy, seed=0) -> list[int]:
    return [pick.index for pick in choose(collection, count, strategy=strategy, seed=seed)]


def test_nearest_equals_a_slow_loop(monkeypatch):
    monkeypatch.setattr(representatives, "ROWS_AT_ONCE", 7)  # several blocks
    random = np.random.default_rng(0)
    features, others = random.normal(size=(30, 4)).astype(np.float32), random.normal(size=(9, 4))

    distance, index = nearest(features, others.astype(np.float32))

    for row, feature in enumerate(features):
        slow = [np.linalg.norm(feature - other) for other in others]
        assert distance[row] == pytest.approx(min(slow), abs=1e-5)
        assert index[row] == np.argmin(slow)


def test_typicality_names_the_point_with_the_nearest_neighbors_of_each_group_largest_group_first():
    points = three_clouds()

    picks = choose(a_collection(points), 3, strategy="typicality", seed=0)

    expected = []
    for group in (range(20), range(20, 30), range(30, 35)):
        mean = {n: np.mean([np.linalg.norm(points[n] - points[m]) for m in group if m != n]) for n in group}
        expected.append(min(mean, key=mean.get))
    assert [pick.index for pick in picks] == expected
    assert [pick.share for pick in picks] == pytest.approx([20 / 35, 10 / 35, 5 / 35])
    assert [pick.score for pick in picks] == pytest.approx([1, 0.5, 0.25])


def test_only_the_twenty_nearest_neighbors_decide_what_is_typical():
    """A dense core of 25 beside a wide halo: all neighbors would favor the middle of the halo."""
    random = np.random.default_rng(1)
    core = random.normal((0.5, 0), 0.01, (25, 2))
    halo = random.uniform(-0.5, 0.5, (100, 2))

    assert chosen(a_collection(np.concatenate([halo, core])), 1, "typicality")[0] >= 100


def test_a_covered_group_counts_less_than_any_that_is_not_much_smaller():
    points = three_clouds()

    first = chosen(a_collection(points, covered=[0]), 1, "typicality")

    assert 20 <= first[0] < 30


def test_coverage_lowers_the_mean_distance_most_each_time():
    points = np.random.default_rng(3).uniform(-0.7, 0.7, (30, 2))

    picks = choose(a_collection(points, covered=[4]), 4, strategy="coverage", seed=0)

    apart = [[float(np.linalg.norm(a - b)) for b in points] for a in points]
    taken, gains = [4], []
    for _ in range(4):
        yet = [min(np.mean(row), *(row[m] for m in taken)) for row in apart]
        gain = [np.mean([max(0, y - row[n]) for y, row in zip(yet, apart, strict=True)]) for n in range(30)]
        taken.append(int(np.argmax(gain)))
        gains.append(max(gain))
    assert [pick.index for pick in picks] == taken[1:]
    assert [pick.score for pick in picks] == pytest.approx([gain / gains[0] for gain in gains], abs=1e-5)


def test_two_suggested_points_cover_two_clouds():
    found = chosen(a_collection(three_clouds((20, 12, 0))), 2, "coverage")

    assert [n < 20 for n in found] == [True, False]


def test_coverage_of_a_large_collection_is_judged_by_a_part_of_it(monkeypatch):
    monkeypatch.setattr(representatives, "MOST_JUDGES", 30)

    found = chosen(a_collection(three_clouds((60, 40, 0))), 2, "coverage")

    assert [n < 60 for n in found] == [True, False]


def test_k_center_goes_from_the_middle_to_the_farthest_each_time():
    points = np.random.default_rng(3).uniform(-0.7, 0.7, (40, 2))

    picks = choose(a_collection(points), 5, strategy="k_center", seed=0)

    middle = points.mean(0)
    slow = [min(range(40), key=lambda n: np.linalg.norm(points[n] - middle))]
    while len(slow) < 5:
        slow.append(max(range(40), key=lambda n: min(np.linalg.norm(points[n] - points[m]) for m in slow)))
    owner = [min(slow, key=lambda n: np.linalg.norm(point - points[n])) for point in points]
    assert [pick.index for pick in picks] == slow
    assert [pick.share for pick in picks] == pytest.approx([owner.count(n) / 40 for n in slow])
    assert picks[0].score == 1
    assert all(0 < pick.score <= 1 for pick in picks)


def test_k_center_keeps_away_from_what_is_covered():
    assert chosen(a_collection([(0, 0), (0.1, 0), (0.9, 0)], covered=[2]), 1, "k_center") == [0]
    assert chosen(a_collection([(0, 0), (0.1, 0), (0.9, 0)], covered=[0]), 1, "k_center") == [2]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_covered_and_nothing_twice_is_chosen(strategy):
    collection = a_collection(three_clouds(), covered=[0, 7, 25])

    found = chosen(collection, 32, strategy)

    assert sorted(found) == [n for n in range(35) if n not in (0, 7, 25)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_patient_is_named_once_before_one_is_named_twice(strategy):
    points = np.repeat(np.random.default_rng(0).uniform(-0.5, 0.5, (6, 3)), 2, axis=0)
    patients = [f"p{n // 2}" for n in range(12)]

    found = chosen(a_collection(points, patients=patients, covered=[0]), 11, strategy)

    names = [patients[n] for n in found]
    assert len(set(names[:5])) == 5
    assert "p0" not in names[:5]
    assert sorted(names[5:]) == sorted(patients[::2])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_points_are_alike_the_doubt_of_the_model_decides(strategy):
    points = np.zeros((8, 2))
    urgency = np.array([0.1, 0.2, 0.3, 0.9, 0.4, 0.5, 0.6, 0.05])

    without = a_collection(points)
    assert chosen(a_collection(points, urgency=urgency), 1, strategy) != chosen(without, 1, strategy)
    assert chosen(a_collection(points, covered=[0], urgency=urgency), 1, "k_center") == [3]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_gives_the_same_choice(strategy):
    collection = a_collection(np.random.default_rng(5).normal(0, 0.2, (60, 4)))

    assert chosen(collection, 6, strategy, seed=3) == chosen(collection, 6, strategy, seed=3)


def test_more_than_there_is_cannot_be_chosen():
    with pytest.raises(ValueError, match="3 of 2 items cannot be chosen"):
        choose(a_collection(np.zeros((3, 2)), covered=[1]), 3, strategy="k_center", seed=0)
