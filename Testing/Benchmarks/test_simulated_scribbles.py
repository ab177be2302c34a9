"""Simulated scribbles: one stroke per structure and slice, within it, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from Testing.Benchmarks.simulated_scribbles import one_branch, simulated_scribbles, stroke

EIGHT = np.ones((3, 3))


@pytest.fixture
def a_heart() -> np.ndarray:
    """Three slices: a disc (2) in a ring (1), a small bar (3), and nothing."""
    rows, columns = np.mgrid[:96, :96]
    distance = np.hypot(rows - 48, columns - 48)
    labels = np.zeros((3, 96, 96), np.int16)
    labels[0][distance < 30] = 1
    labels[0][distance < 20] = 2
    labels[1, 40:44, 30:60] = 3
    return labels


def test_every_stroke_lies_within_its_structure(a_heart):
    scribbles = simulated_scribbles(a_heart, np.random.default_rng(0))

    painted = scribbles != 4
    assert scribbles.dtype == np.int16
    assert (scribbles[painted] == a_heart[painted]).all()
    assert [sorted(np.unique(s)) for s in scribbles] == [[0, 1, 2, 4], [0, 3, 4], [4]]
    assert painted[:2].mean() < 0.1


def test_a_seed_repeats_and_another_draws_other_strokes(a_heart):
    first, again, other = (simulated_scribbles(a_heart, np.random.default_rng(s)) for s in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_disc_gets_a_line_instead_of_a_dot(a_heart):
    for seed in range(5):
        drawn = stroke(a_heart[0] == 2, np.random.default_rng(seed))

        places = np.argwhere(drawn)
        assert np.linalg.norm(np.ptp(places, 0)) > 10
        assert drawn.sum() < 0.25 * (a_heart[0] == 2).sum()


def test_only_the_largest_of_several_components_is_painted():
    mask = np.zeros((40, 40), bool)
    mask[4:8, 4:30] = mask[30:33, 30:33] = True

    drawn = stroke(mask, np.random.default_rng(0))

    assert drawn[4:8, 4:30].any()
    assert not drawn[30:].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (3, 40), (50, 50)])
def test_no_mask_is_too_small_for_a_stroke(shape):
    mask = np.zeros((60, 60), bool)
    mask[2 : 2 + shape[0], 3 : 3 + shape[1]] = True

    for seed in range(8):
        drawn = stroke(mask, np.random.default_rng(seed))
        assert drawn.any()
        assert not (drawn & ~mask).any()


def test_without_pixels_there_is_no_stroke():
    assert not stroke(np.zeros((5, 5), bool), np.random.default_rng(0)).any()


def test_a_branch_is_a_way_between_two_ends_of_the_skeleton():
    skeleton = np.zeros((15, 15), bool)
    skeleton[7, 2:13] = skeleton[2:7, 7] = True  # a T of three ends
    ends = {(7, 2), (7, 12), (2, 7)}

    seen = set()
    for seed in range(20):
        branch = one_branch(skeleton, np.random.default_rng(seed))
        degree = ndimage.convolve(branch.astype(int), EIGHT.astype(int), mode="constant") - 1
        found = {tuple(int(n) for n in p) for p in np.argwhere(branch & (degree <= 1))}
        assert found <= ends
        assert not (branch & ~skeleton).any()
        seen.add(frozenset(found))

    assert {len(pair) for pair in seen} == {1, 2}  # an end may be drawn twice
    assert len([pair for pair in seen if len(pair) == 2]) == 3


def test_a_wall_gives_an_arc():
    ring = np.zeros((12, 12), bool)
    ring[2:10, 2] = ring[2:10, 9] = ring[2, 2:10] = ring[9, 2:10] = True

    branch = one_branch(ring, np.random.default_rng(3))

    assert not (branch & ~ring).any()
    assert 0 < branch.sum() < ring.sum()
