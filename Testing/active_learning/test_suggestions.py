"""Suggestions of cases and slices rest on all that is known: features, annotations, doubt."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.active_learning.suggestions import How, SurveyedCase, suggest_cases, suggest_slices

HOW = How("typicality", 0)


@pytest.fixture
def make_surveyed(make_case):
    """A maker of cases whose slices point in these directions (degrees)."""

    def make(name, degrees, *, annotated=(), offered=True, uncertainty=None, patient=""):
        turned = np.radians(degrees)
        features = np.stack([np.cos(turned), np.sin(turned)], 1).astype(np.float32)
        mask = np.zeros(len(degrees), bool)
        mask[list(annotated)] = True
        doubt = None if uncertainty is None else np.array(uncertainty, float)
        case = make_case(name, patient=patient, shape=(len(degrees), 32, 32))
        return SurveyedCase(case, features, mask, offered, doubt)

    return make


def test_a_case_annotated_in_part_is_covered_but_its_other_slices_are_not(make_surveyed):
    cases = [make_surveyed("a", [0, 10, 20], annotated=[1]), make_surveyed("b", [90, 100, 110])]

    assert [one.case for one in suggest_cases(cases, 1, HOW)] == ["b"]
    slices = suggest_slices(cases, 5, HOW)
    assert sorted((one.case, one.k) for one in slices) == [("a", 0), ("a", 2), ("b", 0), ("b", 1), ("b", 2)]


def test_slices_of_a_case_from_elsewhere_are_not_suggested_and_count_for_nothing(make_surveyed):
    here = [make_surveyed("a", [0, 1]), make_surveyed("b", [90, 91])]
    elsewhere = make_surveyed("c", [180] * 20, annotated=[0], offered=False)

    found = suggest_slices([*here, elsewhere], 4, HOW)

    assert {one.case for one in found} == {"a", "b"}
    assert all(one.share <= 4 / 5 for one in found)


def test_novelty_ranks_what_is_not_annotated_and_names_the_nearest(make_surveyed):
    cases = [
        make_surveyed("near", [0, 0], annotated=[0, 1]),
        make_surveyed("alike", [5, 5]),
        make_surveyed("between", [60, 60]),
        make_surveyed("new", [180, 180]),
    ]

    found = {one.case: one for one in suggest_cases(cases, 3, HOW)}

    assert [found[name].novelty for name in ("alike", "between", "new")] == pytest.approx(
        [1 / 6, 3 / 6, 5 / 6]
    )
    assert "like the annotated case near" in found["alike"].reason
    assert "somewhat like near" in found["between"].reason
    assert "not like any annotated one" in found["new"].reason


def test_the_doubt_of_a_case_is_the_mean_of_its_slices(make_surveyed):
    cases = [
        make_surveyed("sure", [0, 0], uncertainty=[0.1, 0.3]),
        make_surveyed("unsure", [0, 0], uncertainty=[0.2, 0.6]),
    ]

    first, second = suggest_cases(cases, 2, HOW)

    assert (first.case, first.uncertainty) == ("unsure", pytest.approx(0.4))
    assert (second.case, second.uncertainty) == ("sure", pytest.approx(0.2))
    assert [one.place for one in (first, second)] == [None, None]
    assert suggest_slices(cases, 1, HOW)[0].uncertainty == pytest.approx(0.6)


def test_the_slice_named_is_the_slice_shown(make_surveyed):
    cases = [make_surveyed("a", [0, 0, 0, 90]), make_surveyed("b", [90, 90, 90, 90])]

    for one in suggest_slices(cases, 8, HOW):
        assert one.place is not None
        assert (one.place.index, one.place.axis) == (one.k, "k")
        assert one.place.position_mm == 4.0 * one.k
