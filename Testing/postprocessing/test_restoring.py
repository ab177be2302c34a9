"""Probabilities restored slab by slab, and corrected slice by slice, against whole volumes at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from scipy.special import softmax

from ContrastiveSegLib.imaging.grid import WorkingGrid, working_geometry
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.postprocessing import intensity_refinement, restoring
from ContrastiveSegLib.postprocessing.histograms import BINS, NEAR_MM, density_of, levels_of
from ContrastiveSegLib.postprocessing.intensity_refinement import LEAST, refine_by_intensities
from ContrastiveSegLib.postprocessing.restoring import restore_probabilities
from Testing.orientations import OBLIQUE, ORIENTATIONS

TURNED = [np.reshape(OBLIQUE, (3, 3)) @ np.reshape(turn, (3, 3)) for turn in ORIENTATIONS]


def restored_at_once(
    probabilities: np.ndarray, working: Geometry, original: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """How whole volumes (classes, K, H, W) were restored, class by class."""
    reference = sitk.Image(original.size, sitk.sitkUInt8)
    reference.SetSpacing(original.spacing)
    reference.SetOrigin(original.origin)
    reference.SetDirection(original.direction)
    best, winner, entropy = np.full(original.shape, -1.0, np.float32), np.zeros(original.shape, int), 0
    for index, probability in enumerate(probabilities):
        image = Volume(probability.astype(np.float32), working).to_sitk()
        here = sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, 0.0))
        winner[here > best], best = index, np.maximum(here, best)
        entropy = entropy - here * np.log(np.clip(here, 1e-6, 1))
    return winner, np.clip(entropy / np.log(max(len(probabilities), 2)), 0, 1)


def corrected_at_once(probabilities: np.ndarray, image: np.ndarray, pixel_mm: float) -> np.ndarray:
    """How whole volumes (classes, K, H, W) were corrected."""
    said = probabilities.copy()
    nearby = [ndimage.distance_transform_edt(b > 0.5) <= NEAR_MM / pixel_mm for b in said[0]]
    nearby = [near & bool((b <= 0.5).any()) for near, b in zip(nearby, said[0], strict=True)]
    densities = []
    for channel in image:
        counts = np.zeros((len(said), len(nearby), BINS))
        for n, k in itertools.product(range(len(said)), range(len(nearby))):
            levels = levels_of(channel[k])[nearby[k]]
            counts[n, k] = np.bincount(levels, said[n, k][nearby[k]].astype(float), BINS)
        densities.append(density_of(ndimage.gaussian_filter1d(counts, 1.0, axis=1, mode="nearest")))
    for k, near in enumerate(nearby):
        heard = [
            np.log(density[:, k][:, levels_of(channel[k])[near]])
            for density, channel in zip(densities, image, strict=True)
        ]
        logs = np.log(said[:, k, near].astype(np.float32) + LEAST)
        said[:, k, near] = softmax(logs + np.mean(heard, axis=0), axis=0)
    return said


def some_probabilities(shape: tuple[int, ...], classes: int) -> np.ndarray:
    """Smooth regions of several classes, sure inside and not at their borders: (classes, *shape)."""
    noise = np.random.default_rng(0).normal(size=(classes, *shape))
    smooth = ndimage.gaussian_filter(noise, (0, 1, 3, 3))
    return softmax(40 * smooth, axis=0).astype(np.float16)


def slices_of(probabilities: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(plane) for plane in probabilities.swapaxes(0, 1)]


@pytest.fixture(params=[1, 3, 100], ids=lambda n: f"slabs of {n}")
def some_slabs(request, monkeypatch) -> int:
    """Slabs of so many slices of 5 classes of 40 x 36."""
    monkeypatch.setattr(restoring, "SLAB_BYTES", request.param * 5 * 40 * 36 * 2)
    return request.param


@pytest.mark.usefixtures("some_slabs")
@pytest.mark.parametrize("direction", TURNED[::5])
@pytest.mark.parametrize(("spacing", "between"), [(1.0, 0.0), (1.4, 0.0), (0.7, 1.7), (2.0, 5.0)])
def test_slab_by_slab_every_label_is_that_of_the_whole_volume(direction, spacing, between):
    turned = np.argmax(np.abs(np.linalg.inv(np.reshape(OBLIQUE, (3, 3))) @ direction), axis=0)
    size, step = np.array([36, 40, 17])[turned], np.array([1.0, 1.0, 3.0])[turned]
    original = Geometry.from_lists(size.tolist(), step.tolist(), (4.0, -8.0, 100.0), direction.ravel())
    working = working_geometry(original, WorkingGrid("axial", spacing, between, (32, 32)))
    probabilities = some_probabilities(working.shape, 5)

    labels, uncertainty = restore_probabilities(iter(slices_of(probabilities)), working, original)

    winners, entropy = restored_at_once(probabilities, working, original)
    np.testing.assert_array_equal(labels.array, winners)
    np.testing.assert_allclose(uncertainty.array[0], entropy, atol=2e-6)
    assert len(np.unique(winners)) == 5


def test_slices_are_forgotten_as_soon_as_no_voxel_needs_them(monkeypatch):
    import weakref

    monkeypatch.setattr(restoring, "SLAB_BYTES", 2 * 5 * 40 * 36 * 2)
    geometry = Geometry((36, 40, 60), (1.0, 1.0, 2.0))
    alive, most = [], []

    def slices():
        for plane in slices_of(some_probabilities(geometry.shape, 5)[:, :60]):
            copy = plane.copy()
            alive.append(weakref.ref(copy))
            most.append(sum(reference() is not None for reference in alive))
            yield copy
            del copy

    restore_probabilities(slices(), geometry, geometry)

    assert len(most) == 60
    assert max(most) <= 7


def test_a_class_that_is_nowhere_changes_nothing():
    geometry = Geometry((12, 14, 6))
    probabilities = some_probabilities(geometry.shape, 3)
    with_one_more = np.insert(probabilities, 1, 0, axis=0)

    labels, uncertainty = restore_probabilities(slices_of(with_one_more), geometry, geometry)

    winners, entropy = restored_at_once(with_one_more, geometry, geometry)
    np.testing.assert_array_equal(labels.array, winners)
    np.testing.assert_allclose(uncertainty.array[0], entropy, atol=2e-6)


@pytest.mark.parametrize("pixels", [50, 2**16])
@pytest.mark.parametrize("slices", [1, 4, 5, 6, 14])
def test_slice_by_slice_gray_values_correct_as_in_the_whole_volume(slices, pixels, monkeypatch):
    monkeypatch.setattr(intensity_refinement, "PIXELS_AT_ONCE", pixels)
    probabilities = some_probabilities((slices, 40, 36), 5)
    image = np.random.default_rng(1).random((2, slices, 40, 36), np.float32).astype(np.float16)
    probabilities[:, slices // 2] = np.array([1, 0, 0, 0, 0], np.float16)[:, None, None]  # a slice of nothing

    found = np.stack([*refine_by_intensities(slices_of(probabilities), image, 2.0)], axis=1)

    np.testing.assert_array_equal(found, corrected_at_once(probabilities, image, 2.0))


def test_a_corrected_slice_is_given_back_once_its_neighbors_are_known():
    probabilities = some_probabilities((14, 40, 36), 3)
    asked = []

    def slices():
        for k, plane in enumerate(slices_of(probabilities)):
            asked.append(k)
            yield plane

    next(refine_by_intensities(slices(), np.zeros((1, 14, 40, 36)), 1.0))

    assert asked == [0, 1, 2, 3, 4]
