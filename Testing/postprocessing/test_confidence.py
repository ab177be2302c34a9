"""Which voxels of a prediction teach, against slow loops."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.postprocessing.confidence import (
    LEVELS,
    certain,
    confidence_levels,
    count_levels,
    lowest_levels,
    used_shares,
)


@pytest.fixture
def a_prediction() -> tuple[np.ndarray, np.ndarray]:
    """Classes 0, 1, 2 and levels of confidence of 4000 voxels."""
    random = np.random.default_rng(0)
    labels = random.choice(3, (4, 25, 40), p=(0.7, 0.2, 0.1))
    levels = np.clip(random.normal(200, 30, labels.shape), 0, LEVELS - 1).astype(np.uint8)
    return labels, levels


def test_levels_are_the_largest_probability_in_256_steps():
    probabilities = np.array([[[[0.2, 1.0]]], [[[0.8, 0.0]]]], np.float16)

    assert confidence_levels(probabilities).tolist() == [[[204, 255]]]


def test_voxels_are_counted_by_class_and_level(a_prediction):
    labels, levels = a_prediction

    counts = count_levels(labels, levels, 3)

    assert counts.shape == (3, LEVELS)
    assert counts[1, 200] == sum(
        label == 1 and level == 200 for label, level in zip(labels.ravel(), levels.ravel(), strict=True)
    )
    assert counts.sum() == labels.size


@pytest.mark.parametrize("unknown", [0.0, 0.2, 0.5])
def test_of_each_structure_the_least_certain_share_stays_unknown(a_prediction, unknown):
    labels, levels = a_prediction
    lowest = lowest_levels(count_levels(labels, levels, 3), unknown)

    taught = certain(labels, levels, lowest)

    for index in (1, 2):
        mine = np.sort(levels[labels == index])
        # The next higher level would take more than the share.
        assert (mine < lowest[index]).mean() <= unknown < (mine <= lowest[index]).mean()
        assert (taught[labels == index] == IGNORE_LABEL).mean() == (mine < lowest[index]).mean()
    assert set(np.unique(taught)) <= {IGNORE_LABEL, 0, 1, 2}


def test_background_is_judged_by_the_levels_of_the_structures(a_prediction):
    labels, levels = a_prediction
    lowest = lowest_levels(count_levels(labels, levels, 3), 0.5)

    assert lowest[0] == round((lowest[1] + lowest[2]) / 2)
    assert lowest_levels(count_levels(np.zeros_like(labels), levels, 3), 0.5)[0] == 0


def test_the_kept_share_is_that_of_the_voxels_that_teach(a_prediction):
    labels, levels = a_prediction
    counts = count_levels(labels, levels, 4)
    lowest = lowest_levels(counts, 0.3)

    shares = used_shares(counts, lowest)

    taught = certain(labels, levels, lowest)
    for index in range(3):
        assert shares[index] == pytest.approx((taught[labels == index] == index).mean())
    assert np.isnan(shares[3])
