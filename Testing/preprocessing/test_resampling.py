"""prepare() and restore() are inverses, on every grid, and gray values become 0...1."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ContrastiveSegLib.imaging.grid import WorkingGrid, working_geometry
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.postprocessing.restoring import restore_probabilities
from ContrastiveSegLib.preprocessing.resampling import (
    Intensities,
    prepare,
    prepare_labels,
    restore,
)
from Testing.orientations import OBLIQUE, ORIENTATIONS

AS_IT_IS = Intensities("other", (0.0, 1.0))
HALF = 5e-4  # rounding of float16 below 1


def own_spacing(geometry: Geometry, *, plane: str = "axial") -> WorkingGrid:
    """A working grid that changes the order and the direction of the axes, and nothing else."""
    return WorkingGrid(plane, geometry.spacing[0], 0.0, (32, 32))


def noise_on(geometry: Geometry, channels: int = 1) -> Volume:
    return Volume(np.random.default_rng(0).random((channels, *geometry.shape), np.float32), geometry)


def labels_on(geometry: Geometry) -> Volume:
    return Volume(np.random.default_rng(1).integers(0, 5, geometry.shape).astype(np.int16), geometry)


def ball_on(geometry: Geometry) -> Volume:
    """A ball of 9 mm in the middle, with another value in front than behind."""
    places = geometry.index_to_physical(
        np.stack(np.meshgrid(*map(np.arange, geometry.size), indexing="ij"), -1)
    )
    away = (places - geometry.corners().mean(0)).transpose(2, 1, 0, 3)  # (K, H, W, 3)
    labels = (np.linalg.norm(away, axis=-1) < 9) * (1 + (away[..., 1] > 0))
    return Volume(labels.astype(np.int16), geometry)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_labels_return_exactly_from_a_grid_that_only_turned_its_axes(direction):
    geometry = Geometry((7, 6, 5), (1.5, 1.5, 1.5), (5.0, -7.0, 9.0), direction)
    labels = labels_on(geometry)
    working = working_geometry(geometry, own_spacing(geometry, plane="coronal"))

    prepared = prepare_labels(labels, working)
    restored = restore(prepared, geometry)

    np.testing.assert_array_equal(restored.array, labels.array)
    assert restored.geometry == geometry
    assert prepared.array.dtype == restored.array.dtype == np.int16


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_each_gray_value_stays_at_its_place_in_the_patient(direction):
    geometry = Geometry((7, 6, 5), (1.5, 1.5, 1.5), (5.0, -7.0, 9.0), direction)
    image = noise_on(geometry)

    prepared, _ = prepare(image, own_spacing(geometry, plane="sagittal"), AS_IT_IS)

    inverse = np.linalg.inv(np.reshape(geometry.direction, (3, 3)))
    for index in itertools.product(*map(range, prepared.geometry.size)):
        place = prepared.geometry.index_to_physical(index) - geometry.origin
        i, j, k = np.round(inverse @ place / geometry.spacing).astype(int)
        assert prepared.array[(0, *index[::-1])] == pytest.approx(image.array[0, k, j, i], abs=HALF)


@pytest.mark.parametrize(
    "direction", [OBLIQUE, (-1.0, 0.0, 0.0, 0.0, 0.6, 0.8, 0.0, 0.8, -0.6)], ids=["turned", "and flipped"]
)
def test_labels_return_exactly_from_an_oblique_stack(direction):
    geometry = Geometry((12, 10, 5), (0.9, 0.9, 6.0), (4.0, -8.0, 100.0), direction)
    labels = labels_on(geometry)

    restored = restore(prepare_labels(labels, working_geometry(geometry, own_spacing(geometry))), geometry)

    np.testing.assert_array_equal(restored.array, labels.array)


@pytest.mark.parametrize("spacing", [0.7, 1.3, 2.0])
@pytest.mark.parametrize("direction", [OBLIQUE, ORIENTATIONS[0], ORIENTATIONS[29]])
def test_a_structure_survives_another_resolution(spacing, direction):
    geometry = Geometry((30, 26, 14), (1.0, 1.1, 2.0), (4.0, -8.0, 100.0), direction)
    labels = ball_on(geometry)

    restored = restore(
        prepare_labels(labels, working_geometry(geometry, WorkingGrid("axial", spacing, 0.0, (32, 32)))),
        geometry,
    )

    assert restored.geometry == geometry
    assert set(np.unique(restored.array)) == {0, 1, 2}
    assert dice(restored.array > 0, labels.array > 0) > 0.93
    for value in (1, 2):
        assert dice(restored.array == value, labels.array == value) > 0.8
    (before, after) = (np.argwhere(volume.array)[:, ::-1].mean(0) for volume in (labels, restored))
    np.testing.assert_allclose(
        geometry.index_to_physical(after), geometry.index_to_physical(before), atol=0.2
    )


def test_an_image_and_its_labels_share_the_working_grid(any_volume):
    grid = WorkingGrid("axial", 1.3, 2.2, (4, 32, 32))

    prepared, _ = prepare(any_volume, grid, AS_IT_IS)
    labels = prepare_labels(labels_on(any_volume.geometry), prepared.geometry)

    assert prepared.geometry == labels.geometry == working_geometry(any_volume.geometry, grid)
    assert prepared.array.shape == (1, *labels.array.shape)


def test_a_smooth_image_keeps_its_values_at_another_resolution():
    geometry = Geometry((40, 40, 10), (1.0, 1.0, 5.0))
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32) / 40, (1, *geometry.shape))

    prepared, _ = prepare(Volume(ramp, geometry), WorkingGrid("axial", 0.8, 0.0, (32, 32)), AS_IT_IS)

    columns = prepared.geometry.index_to_physical([(i, 0, 0) for i in range(prepared.geometry.size[0])])[:, 0]
    inside = (columns >= 0) & (columns <= 39)
    np.testing.assert_allclose(prepared.array[0, 3, 7, inside], columns[inside] / 40, atol=1e-3)


def test_a_much_coarser_grid_averages_instead_of_skipping():
    geometry = Geometry((64, 64, 4), (1.0, 1.0, 8.0))
    stripes = np.broadcast_to(np.arange(64, dtype=np.float32) // 2 % 2, (1, *geometry.shape))

    coarse, _ = prepare(Volume(stripes, geometry), WorkingGrid("axial", 4.0, 0.0, (32, 32)), AS_IT_IS)
    own, _ = prepare(Volume(stripes, geometry), WorkingGrid("axial", 1.0, 0.0, (32, 32)), AS_IT_IS)

    assert np.abs(coarse.array[..., 2:-2].astype(float) - 0.5).max() < 0.1
    assert set(np.unique(own.array)) == {0, 1}


def test_probabilities_on_an_unchanged_grid_give_the_most_probable_class(an_oblique_volume):
    geometry = an_oblique_volume.geometry
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), geometry.shape).transpose(3, 0, 1, 2)

    labels, uncertainty = restore_probabilities(probabilities.swapaxes(0, 1), geometry, geometry)

    np.testing.assert_array_equal(labels.array, probabilities.astype(np.float32).argmax(0))
    entropy = -(probabilities * np.log(probabilities)).sum(0) / np.log(4)
    np.testing.assert_allclose(uncertainty.array[0], entropy, atol=1e-4)
    assert labels.geometry == uncertainty.geometry == geometry
    assert labels.array.dtype == np.int16


@pytest.mark.parametrize("direction", [OBLIQUE, ORIENTATIONS[29]])
def test_probabilities_return_to_exactly_the_grid_of_the_image(direction):
    geometry = Geometry((30, 26, 14), (1.0, 1.1, 2.0), (4.0, -8.0, 100.0), direction)
    truth = ball_on(geometry)
    working = prepare_labels(truth, working_geometry(geometry, WorkingGrid("axial", 1.5, 0.0, (32, 32))))

    certain = (np.float16([plane == value for value in range(3)]) for plane in working.array)
    labels, uncertainty = restore_probabilities(certain, working.geometry, geometry)

    assert labels.geometry == geometry
    assert dice(labels.array > 0, truth.array > 0) > 0.93
    assert all(dice(labels.array == value, truth.array == value) > 0.8 for value in (1, 2))
    assert uncertainty.array[0, 0, 0, 0] == pytest.approx(0, abs=1e-4)
    assert uncertainty.array.max() > 0.5  # between two structures
    assert 0 <= uncertainty.array.min() <= uncertainty.array.max() <= 1


def test_equal_probabilities_are_fully_uncertain_and_background():
    geometry = Geometry((4, 4, 4))

    labels, uncertainty = restore_probabilities(np.full((4, 3, 4, 4), 1 / 3), geometry, geometry)

    assert not labels.array.any()
    np.testing.assert_allclose(uncertainty.array, 1, atol=1e-5)


def test_ct_is_cut_to_its_window(a_volume):
    values = np.round(a_volume.array * 1500 - 1000)

    automatic, found = prepare(
        Volume(values, a_volume.geometry), own_spacing(a_volume.geometry), Intensities()
    )
    forced, _ = prepare(
        Volume(values + 0.5, a_volume.geometry), own_spacing(a_volume.geometry), Intensities("ct")
    )

    assert found == "ct"
    on_this_grid = prepare(Volume(values, a_volume.geometry), own_spacing(a_volume.geometry), AS_IT_IS)[
        0
    ].geometry
    assert automatic.geometry == on_this_grid
    assert automatic.array.min() == 0
    assert automatic.array.max() == 1
    np.testing.assert_allclose(forced.array, np.clip(automatic.array + 0.001, 0, 1), atol=2e-3)


def test_the_window_of_ct_goes_from_fat_to_contrast():
    geometry = Geometry((5, 1, 1))
    values = np.array([-1000, -200, 50, 300, 1200], np.float32).reshape(1, 1, 1, 5)

    prepared, _ = prepare(Volume(values, geometry), WorkingGrid("axial", 1.0, 0.0, (32, 32)), Intensities())

    np.testing.assert_allclose(prepared.array.ravel(), [0, 0, 0.5, 1, 1], atol=HALF)


def test_a_window_of_ones_own_comes_before_everything():
    geometry = Geometry((3, 1, 1))
    values = np.array([-1000, 0, 1000], np.float32).reshape(1, 1, 1, 3)
    how = Intensities("ct", (-1000, 1000))

    prepared, _ = prepare(Volume(values, geometry), WorkingGrid("axial", 1.0, 0.0, (32, 32)), how)

    np.testing.assert_allclose(prepared.array.ravel(), [0, 0.5, 1], atol=HALF)


def test_other_images_are_scaled_by_percentiles_and_forgive_outliers():
    geometry = Geometry((20, 20, 10))
    values = np.random.default_rng(0).uniform(100, 300, (1, *geometry.shape)).astype(np.float32)
    values[0, 0, 0, :3] = 1e6

    prepared, modality = prepare(
        Volume(values, geometry), WorkingGrid("axial", 1.0, 0.0, (32, 32)), Intensities()
    )

    low, high = np.percentile(values, [0.5, 99.5])
    expected = np.clip((values - low) / (high - low), 0, 1)
    assert modality == "other"
    np.testing.assert_allclose(prepared.array, expected, atol=1e-3)
    assert prepared.array.dtype == np.float16


def test_each_channel_is_scaled_by_itself():
    geometry = Geometry((20, 20, 10))
    image = noise_on(geometry, channels=2)
    image.array[1] = image.array[1] * 1000 - 300

    prepared, _ = prepare(image, WorkingGrid("axial", 1.0, 0.0, (32, 32)), Intensities())

    assert prepared.array.shape == (2, *geometry.shape)
    for channel in prepared.array:
        assert (channel.min(), channel.max()) == (0, 1)
        assert 0.45 < channel.mean() < 0.55


def test_a_constant_channel_becomes_zero():
    geometry = Geometry((6, 6, 6))
    values = np.stack([np.full(geometry.shape, 7.0), np.random.default_rng(0).random(geometry.shape)])

    prepared, _ = prepare(
        Volume(values.astype(np.float32), geometry), WorkingGrid("axial", 1.0, 0.0, (32, 32)), Intensities()
    )

    assert not prepared.array[0].any()
    assert prepared.array[1].max() == 1


def test_a_small_object_in_a_large_empty_field_is_seen():
    geometry = Geometry((30, 30, 20))
    values = np.zeros((1, *geometry.shape), np.float32)
    values[0, 5, 5, 5:15] = 80

    prepared, _ = prepare(Volume(values, geometry), WorkingGrid("axial", 1.0, 0.0, (32, 32)), Intensities())

    assert (prepared.array[0, 5, 5, 5:15] == 1).all()
    assert prepared.array.sum() == 10
