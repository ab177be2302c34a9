"""The Dice that a prediction may expect, against slow loops and hand values."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from scipy.special import softmax

from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.postprocessing.expected_dice import Certainty, Expectation, calibrated


def heard(probabilities: np.ndarray, groups=()) -> np.ndarray:
    """Certainty of each structure in (N, K, H, W)."""
    certainty = Certainty()
    passed = list(certainty.collect(np.moveaxis(probabilities, 1, 0)))
    assert np.array_equal(np.stack(passed, 1), probabilities)
    return certainty.of_each(groups, {}, Geometry(probabilities.shape[:0:-1]))


def test_certainty_is_the_mean_probability_in_a_loop_over_all_voxels():
    scores = np.random.default_rng(0).normal(0, 2, (4, 5, 6, 7))
    probabilities = softmax(scores, axis=0).astype(np.float16)

    found = heard(probabilities)

    for index in (1, 2, 3):
        said = [float(voxel[index]) for voxel in probabilities.reshape(4, -1).T if voxel.argmax() == index]
        assert found[index - 1] == pytest.approx(sum(said) / len(said), abs=1 / 255)


def test_a_component_that_is_left_out_does_not_count():
    probabilities = np.zeros((3, 1, 3, 9), np.float16)
    probabilities[1, 0, :, :4], probabilities[1, 0, :, 7:] = 1, 0.6  # 12 voxels, and 6 apart from them
    probabilities[0] = 1 - probabilities[1]

    assert heard(probabilities) == pytest.approx([(12 + 6 * 0.6) / 18, np.nan], nan_ok=True)
    assert heard(probabilities, groups=[(1,)]) == pytest.approx([1.0, np.nan], nan_ok=True)


def test_a_structure_that_is_missing_counts_only_where_every_annotation_shows_it():
    each = np.array([0.9, np.nan])

    assert Expectation().dice_of(each) == pytest.approx(0.9)
    assert Expectation(always=(1, 2)).dice_of(each) == pytest.approx(0.45)
    assert Expectation().dice_of(np.array([np.nan, np.nan])) == 0


def test_left_out_cases_calibrate_by_a_line_that_never_falls():
    # 0.7 and 0.8 come in the wrong order: both become 0.6, at their middle of 0.75.
    expectation = calibrated((), [0.8, 0.6, 0.7, 0.9], [0.5, 0.4, 0.7, 0.9])

    assert expectation.certainty == pytest.approx((0.6, 0.75, 0.9))
    assert expectation.dice == pytest.approx((0.4, 0.6, 0.9))
    assert expectation.dice_of(np.array([0.75])) == pytest.approx(0.6)
    assert expectation.dice_of(np.array([0.825])) == pytest.approx(0.75)
    assert expectation.dice_of(np.array([0.3])) == pytest.approx(0.2)  # halfway to nothing
    assert expectation.dice_of(np.array([0.99])) == pytest.approx(0.9)
    assert Expectation.from_json(json.loads(json.dumps(expectation.to_json()))) == expectation


def test_left_out_cases_of_equal_certainty_count_by_their_mean():
    expectation = calibrated((), [0.8, 0.8, 0.8, 0.9], [0.2, 0.9, 0.7, 0.5])

    assert expectation.certainty == pytest.approx((0.825,))  # their mean of 0.6 is above 0.5: one level
    assert expectation.dice == pytest.approx((0.575,))


def test_three_left_out_cases_are_too_few():
    expectation = calibrated((1,), [0.8, 0.6, 0.7], [0.5, 0.4, 0.7])

    assert expectation == Expectation(always=(1,))
    assert expectation.dice_of(np.array([0.8])) == pytest.approx(0.8)
    assert Expectation.from_json({}) == Expectation()


def test_the_certainty_of_a_volume_takes_less_than_twelve_bytes_per_voxel():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), (1, 40, 64, 64)).astype(np.float16)
    certainty = Certainty()
    for part in certainty.collect(np.moveaxis(probabilities, -1, 1).swapaxes(0, 2)[:, :, 0]):
        assert len(part) == 4

    tracemalloc.start()
    each = certainty.of_each([(1,), (2,)], {}, Geometry((64, 64, 40)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert each.shape == (3,)
    assert 0.25 < each.min() <= each.max() < 1
    assert peak < 12 * 40 * 64 * 64  # it took more than twenty
