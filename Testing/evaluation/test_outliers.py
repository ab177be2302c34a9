"""Cases that are unlike the others are found and named by the figure."""

from __future__ import annotations

import math

import numpy as np

from ContrastiveSegLib.evaluation.outliers import find_outliers


def test_a_case_far_from_the_median_is_named_by_its_measure():
    random = np.random.default_rng(0)
    figures = [{"size": float(n), "place": 0.0} for n in random.normal(5, 0.2, 40)]
    figures[7]["size"] = 9.0
    figures[9]["place"] = 30.0

    odd = find_outliers(figures, {"size": 0.1, "place": 8.0})

    assert odd[7] == ["size"]
    assert odd[9] == ["place"]
    assert sum(map(bool, odd)) == 2


def test_differences_that_are_nothing_to_speak_of_make_no_outlier():
    figures = [{"place": 0.0} for _ in range(9)] + [{"place": 20.0}]

    assert find_outliers(figures, {"place": 8.0})[9] == []
    assert find_outliers(figures, {"place": 5.0})[9] == ["place"]


def test_what_is_missing_is_no_outlier():
    figures = [{"size": 1.0}, {"size": 1.1}, {"size": math.nan}]

    assert find_outliers(figures, {"size": 0.1}) == [[], [], []]
    assert find_outliers([{"size": math.nan}] * 3, {"size": 0.1}) == [[], [], []]
    assert find_outliers([], {"size": 0.1}) == []
