"""Superpixels are SLIC's on the image stacked as RGB, in pieces of the size asked for."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.segmentation import slic

from ContrastiveSegLib.preprocessing.superpixels import REGIONS_PER_PATCH, regions_of, regions_of_slices


@pytest.fixture
def a_slice() -> np.ndarray:
    """Two discs on a slope, with noise: (1, 96, 80)."""
    rows, columns = np.mgrid[:96, :80] / 96
    random = np.random.default_rng(0)
    image = 0.3 * rows + 0.4 * (np.hypot(rows - 0.3, columns - 0.4) < 0.2)
    image += 0.3 * (np.hypot(rows - 0.7, columns - 0.5) < 0.15) + random.normal(0, 0.02, rows.shape)
    return np.clip(image, 0, 1)[None].astype(np.float32)


def test_they_are_no_regular_grid(a_slice):
    """An easy mistake: compactness 10 belongs to CIELAB, not to gray values 0...1."""
    ours = regions_of(a_slice, REGIONS_PER_PATCH)

    trapped = slic(a_slice[0], n_segments=100, compactness=10, channel_axis=None, start_label=1)
    assert unexplained(a_slice[0], ours) < 0.6 * unexplained(a_slice[0], trapped)


def unexplained(gray, regions):
    """The part of the variance that remains within the regions."""
    means = np.bincount(regions.ravel(), gray.ravel()) / np.maximum(np.bincount(regions.ravel()), 1)
    return np.var(gray - means[regions]) / np.var(gray)


def test_they_explain_the_image(a_slice):
    regions = regions_of(a_slice, REGIONS_PER_PATCH)

    assert 50 <= len(np.unique(regions)) <= 130
    assert unexplained(a_slice[0], regions) < 0.1


def test_numbers_start_at_one_and_are_small(a_slice):
    regions = regions_of(a_slice, 30)

    assert regions.dtype == np.uint16
    assert regions.min() == 1


def test_a_flat_image_is_one_region():
    assert (regions_of(np.full((2, 16, 16), 0.5, np.float32), 10) == 1).all()


def test_each_slice_is_taken_by_itself(a_slice):
    images = np.stack([a_slice, a_slice[:, ::-1]], axis=1)

    regions = regions_of_slices(images, 50)

    assert regions.shape == (2, 96, 80)
    assert np.array_equal(regions[1], regions_of(images[:, 1], 50))


def test_blocks_have_supervoxels(a_slice):
    block = np.stack([a_slice] * 6, axis=1)

    regions = regions_of(block, 40, spacing=(5.0, 1.0, 1.0))

    assert regions.shape == (6, 96, 80)
    assert 10 < len(np.unique(regions)) < 80
