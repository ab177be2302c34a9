"""Gray values correct a prediction where they tell structures apart, and leave it where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ContrastiveSegLib.postprocessing.histograms import BINS, FLOOR, density_of, levels_of
from ContrastiveSegLib.postprocessing.intensity_refinement import refine_by_intensities

SHAPE = (3, 64, 64)


def disk(radius: float, column: float = 32) -> np.ndarray:
    rows, columns = np.indices(SHAPE[1:])
    inside: np.ndarray = (rows - 32) ** 2 + (columns - column) ** 2 <= radius**2
    return np.stack([inside] * SHAPE[0])


def hesitating(mask: np.ndarray) -> np.ndarray:
    """What a network says that is sure inside and outside, and not at the border: (2, K, H, W)."""
    inside = ndimage.gaussian_filter(mask.astype(float), (0, 3, 3))
    return np.stack([1 - inside, inside]).astype(np.float16)


def scanned(mask: np.ndarray, light: np.ndarray | float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.03, mask.shape)
    image: np.ndarray = np.clip((np.where(mask, 0.6, 0.35) + noise) * light, 0, 1)[None]
    return image


def corrected(said: np.ndarray, image: np.ndarray) -> np.ndarray:
    return np.stack([*refine_by_intensities(said.copy().swapaxes(0, 1), image, pixel_mm=1.0)], axis=1)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("light", [1.0, np.array([1.0, 0.8, 0.6])[:, None, None]])
def test_a_border_that_was_missed_is_found_where_the_gray_values_change(light: np.ndarray | float) -> None:
    true = disk(14)
    said = hesitating(disk(12, column=33))

    found = corrected(said, scanned(true, light))

    assert dice(said.argmax(axis=0) == 1, true) < 0.92
    assert dice(found.argmax(axis=0) == 1, true) > 0.96


def test_where_all_is_equally_gray_nothing_changes() -> None:
    said = hesitating(disk(12))

    found = corrected(said, np.full((1, *SHAPE), 0.5))

    np.testing.assert_allclose(found, said, atol=2e-3)


def test_far_from_structures_and_in_slices_without_any_nothing_changes() -> None:
    true = disk(8, column=12)
    said = hesitating(true)
    said[:, 2] = np.array([1, 0], np.float16)[:, None, None]
    said[:, 0, 30, 60] = (0.6, 0.4)  # looks like the structure, 40 pixels from it
    image = scanned(true)
    image[0, 0, 28:33, 58:63] = image[0, 2] = 0.6

    found = corrected(said, image)

    np.testing.assert_array_equal(found[:, 2], said[:, 2])
    np.testing.assert_array_equal(found[:, 0, 30, 60], said[:, 0, 30, 60])


def test_nothing_predicted_stays_nothing() -> None:
    said = np.zeros((3, *SHAPE), np.float16)
    said[0] = 1

    np.testing.assert_array_equal(corrected(said, scanned(disk(10))), said)


def test_the_answer_is_that_of_bayes_voxel_by_voxel() -> None:
    said, image = hesitating(disk(10))[:, :1], scanned(disk(11))[:, :1]

    found = corrected(said, image)

    levels = levels_of(image[0, 0])
    near = ndimage.distance_transform_edt(said[0, 0] > 0.5) <= 25
    for row, column in [(32, 32), (32, 22), (22, 32), (32, 45), (15, 32)]:
        likely = []
        for n in range(2):
            counts = [said[n, 0][near & (levels == level)].astype(float).sum() for level in range(BINS)]
            chance = density_of(np.array(counts))[levels[row, column]]
            likely.append((float(said[n, 0, row, column]) + 1e-4) * chance)
        assert found[1, 0, row, column] == pytest.approx(likely[1] / sum(likely), abs=2e-3)


def test_channels_count_as_one() -> None:
    said, image = hesitating(disk(12)), scanned(disk(14))

    once = corrected(said, image)
    twice = corrected(said, np.concatenate([image, np.full_like(image, 0.5)]))

    assert dice(once.argmax(axis=0) == 1, disk(14)) >= dice(twice.argmax(axis=0) == 1, disk(14))
    assert dice(twice.argmax(axis=0) == 1, disk(14)) > dice(said.argmax(axis=0) == 1, disk(14))


def test_densities_keep_a_chance_for_every_level_also_of_nothing() -> None:
    counts = np.zeros((2, BINS))
    counts[0, 4] = 7

    found = density_of(counts)

    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[0].argmax() == 4
    assert found[0].min() >= FLOOR / 2
    np.testing.assert_allclose(found[1], 1 / BINS)
