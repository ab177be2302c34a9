"""Partners obey the definitions of their sets, which are written out here as comprehensions."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ContrastiveSegLib.training.slice_pairs import Neighbor, Triplet

RULES = [("S", "other_scan"), ("O", "other_scan"), ("M", "other_scan"), ("M", "same_scan")]

# Of each scan the flags of its slices, or only the number of its slices where there are no flags.
SCANS = st.lists(st.lists(st.booleans(), min_size=1, max_size=4) | st.integers(1, 4), max_size=4)


def cases_and_flags(scans):
    """Cases c0, c1, ... and the flags of those that have some."""
    sizes = [scan if isinstance(scan, int) else len(scan) for scan in scans]
    cases = [SimpleNamespace(name=f"c{c}", shape=(n, 8, 8)) for c, n in enumerate(sizes)]
    return cases, {f"c{c}": np.array(scan) for c, scan in enumerate(scans) if not isinstance(scan, int)}


def legal_partners(scans, selection, negative):
    """Each slice with its positives and negatives, as docs/methods/polycl.md defines them."""
    cases, flags = cases_and_flags(scans)
    every = [
        (c, k)
        for c, case in enumerate(cases)
        for k in range(case.shape[0])
        if selection == "S" or case.name in flags
    ]

    def flag(place):
        return bool(flags[f"c{place[0]}"][place[1]])

    def is_positive(s, x):
        same_scan = selection == "O" or x[0] == s[0]
        same_flag = selection == "S" or flag(x) == flag(s)
        return x != s and same_scan and same_flag

    def is_negative(s, x):
        if selection == "S":
            return x[0] != s[0]
        if selection == "O":
            return flag(x) != flag(s)
        return flag(x) != flag(s) and (x[0] == s[0]) == (negative == "same_scan")

    return {
        s: ({x for x in every if is_positive(s, x)}, {x for x in every if is_negative(s, x)}) for s in every
    }


@pytest.mark.parametrize(("selection", "negative"), RULES)
@given(scans=SCANS, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_triplets_obey_the_definitions_of_their_sets(selection, negative, scans, seed):
    partners, random = Triplet(selection, negative), np.random.default_rng(seed)

    places = partners.arrange(*cases_and_flags(scans))

    legal = legal_partners(scans, selection, negative)
    assert places == [s for s, (positives, negatives) in legal.items() if positives and negatives]
    for place in places:
        for _ in range(5):
            positive, far = partners.draw(random, place)
            assert positive in legal[place][0]
            assert far in legal[place][1]


SCANS_OF_ALL_KINDS = [[True, True, False, True], 3, [False, False, True], [True], [False, False]]


@pytest.mark.parametrize(("selection", "negative"), RULES)
def test_every_legal_partner_is_drawn_equally_often(selection, negative):
    partners, random = Triplet(selection, negative), np.random.default_rng(0)
    places = partners.arrange(*cases_and_flags(SCANS_OF_ALL_KINDS))
    legal = legal_partners(SCANS_OF_ALL_KINDS, selection, negative)
    assert len(places) >= 4

    for place in places:
        drawn = [partners.draw(random, place) for _ in range(400)]
        for sort, allowed in enumerate(legal[place]):
            counts = Counter(pair[sort] for pair in drawn)
            assert set(counts) == allowed
            spread = (len(drawn) / len(allowed)) ** 0.5
            assert all(abs(n - len(drawn) / len(allowed)) < 5 * spread for n in counts.values())


@pytest.mark.parametrize(
    ("selection", "negative", "scans", "without"),
    [
        ("S", "other_scan", [2, 1, 3], {(1, 0)}),  # the only slice of its scan
        ("S", "other_scan", [4], {(0, 0), (0, 1), (0, 2), (0, 3)}),  # no other scan
        ("O", "other_scan", [[True, False], [False]], {(0, 0)}),  # the only slice with the organ
        ("O", "other_scan", [[True, True], 2], {(0, 0), (0, 1)}),  # no slice without; no flags
        ("M", "same_scan", [[True, True], [False, False]], {(0, 0), (0, 1), (1, 0), (1, 1)}),
        ("M", "other_scan", [[True, True, False], [True]], {(0, 0), (0, 1), (0, 2), (1, 0)}),
    ],
)
def test_slices_without_a_legal_partner_are_left_out(selection, negative, scans, without):
    places = Triplet(selection, negative).arrange(*cases_and_flags(scans))

    every = {
        (c, k)
        for c, scan in enumerate(scans)
        for k in range(scan if isinstance(scan, int) else len(scan))
        if selection == "S" or not isinstance(scan, int)
    }
    assert set(places) == every - without


@pytest.mark.parametrize(("selection", "negative"), RULES)
def test_a_seed_repeats_the_draw_and_another_differs(selection, negative):
    partners = Triplet(selection, negative)
    places = partners.arrange(*cases_and_flags(SCANS_OF_ALL_KINDS)) * 5

    first, again, other = (
        [partners.draw(random, place) for place in places] for random in map(np.random.default_rng, (7, 7, 8))
    )

    assert first == again
    assert first != other


def test_only_the_central_part_of_each_scan_takes_part():
    """docs/methods/polycl.md: 0.3 keeps the slices from 0.35 N to 0.65 N."""
    partners, random = Triplet("S", central=0.3), np.random.default_rng(0)

    places = partners.arrange(*cases_and_flags([20, 40]))

    assert places == [*((0, k) for k in range(7, 13)), *((1, k) for k in range(14, 26))]
    assert {x for _ in range(30) for place in places for x in partners.draw(random, place)} == set(places)


def test_partners_can_be_arranged_anew_for_other_cases():
    partners = Triplet("S")
    partners.arrange(*cases_and_flags([5, 5, 5]))

    places = partners.arrange(*cases_and_flags([2, 2]))

    assert places == [(0, 0), (0, 1), (1, 0), (1, 1)]
    drawn = {x for n in range(50) for x in partners.draw(np.random.default_rng(n), (0, 0))}
    assert drawn == {(0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("slices", [1, 2, 3, 6])
def test_a_neighbor_is_the_slice_above_or_below(slices):
    partners, random = Neighbor(), np.random.default_rng(0)
    cases, _ = cases_and_flags([slices, 1, 2])

    places = partners.arrange(cases, {})

    assert places == [*((0, k) for k in range(slices) if slices > 1), (2, 0), (2, 1)]
    for c, k in places:
        drawn = {tuple(partners.draw(random, (c, k))) for _ in range(40)}
        last = cases[c].shape[0] - 1
        assert drawn == {((c, n),) for n in (k - 1, k + 1) if 0 <= n <= last}


@pytest.mark.parametrize(("partners", "count"), [(Neighbor(), 1), (Triplet("S"), 2)])
def test_as_many_partners_come_as_are_announced(partners, count):
    place, *_ = partners.arrange(*cases_and_flags([3, 3]))

    assert partners.count == count
    assert len(partners.draw(np.random.default_rng(0), place)) == count
