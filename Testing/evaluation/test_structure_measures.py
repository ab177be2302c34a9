"""Measures of structures, compared with values by hand and with a slow loop."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.evaluation.structure_measures import measure
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume

TABLE = LabelTable.default_for([1, 2, 7])


def test_a_box_is_measured_as_by_hand():
    geometry = Geometry((5, 4, 3), (0.5, 2.0, 4.0), (10.0, -20.0, 30.0))
    labels, image = np.zeros((3, 4, 5), np.int16), np.zeros((3, 4, 5), np.float32)
    labels[1, 1:3, 2] = 2
    image[1, 1, 2], image[1, 2, 2] = 10.0, 14.0

    missing, found, _ = measure(Volume(labels, geometry), Volume(image[None], geometry), TABLE)

    assert (missing.volume_ml, missing.gray_mean, missing.centroid_mm, missing.touches_border) == (
        0.0,
        None,
        None,
        None,
    )
    assert found.volume_ml == pytest.approx(2 * 4 / 1000)
    assert (found.gray_mean, found.gray_min, found.gray_max) == (12.0, 10.0, 14.0)
    assert found.gray_sd == pytest.approx(np.sqrt(8))
    assert found.centroid_mm == pytest.approx((11.0, -17.0, 34.0))
    assert found.box_mm is not None
    np.testing.assert_allclose(found.box_mm, [(10.75, -19.0, 32.0), (11.25, -15.0, 36.0)])
    assert found.touches_border is False


def test_an_oblique_volume_is_measured_as_voxel_by_voxel(an_oblique_volume):
    grid, random = an_oblique_volume.geometry, np.random.default_rng(0)
    labels = (random.random(grid.shape) < 0.02).astype(np.int16) * 7

    (*_, found) = measure(Volume(labels, grid), an_oblique_volume, TABLE)

    where = np.argwhere(labels == 7)
    points = grid.index_to_physical(where[:, ::-1])
    gray = an_oblique_volume.array[0][labels == 7]
    assert found.volume_ml == pytest.approx(len(where) * np.prod(grid.spacing) / 1000)
    np.testing.assert_allclose(found.centroid_mm, points.mean(axis=0), atol=1e-6)
    assert found.gray_mean == pytest.approx(gray.mean(), rel=1e-6)
    assert found.gray_sd == pytest.approx(gray.std(ddof=1), rel=1e-5)
    assert found.touches_border == bool(((where == 0) | (where == np.array(grid.shape) - 1)).any())
    assert found.box_mm is not None
    low, high = map(np.array, found.box_mm)
    assert ((points >= low) & (points <= high)).all()


def test_a_single_voxel_at_the_border_has_no_standard_deviation():
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0))
    labels = np.zeros((4, 4, 4), np.int16)
    labels[0, 2, 2] = 1

    found, *_ = measure(Volume(labels, geometry), Volume(labels.astype(np.float32), geometry), TABLE)

    assert found.gray_sd is None
    assert found.touches_border is True


def test_of_several_channels_the_first_is_measured():
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0))
    labels = np.ones((4, 4, 4), np.int16)
    image = np.stack([np.full((4, 4, 4), 3.0), np.full((4, 4, 4), 9.0)]).astype(np.float32)

    found, *_ = measure(Volume(labels, geometry), Volume(image, geometry), TABLE)

    assert found.gray_mean == 3.0
