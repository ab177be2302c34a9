"""Dice, HD95 and surface distance: against hand values, a loop over all surface pairs, and MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.evaluation.metrics import ABSENT, INVENTED, MISSED, compare, pooled_dice

SPACING_KHW = (5.0, 1.5, 0.8)


def blobs(seed: int, shape: tuple[int, int, int] = (5, 14, 13)) -> np.ndarray:
    """Three structures in smooth random shapes, so that several of them touch the border."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = gaussian_filter(noise, (0.5, 1.5, 1.5))
    return np.digitize(smooth, np.quantile(smooth, [0.4, 0.7, 0.85])).astype(np.int16)


def slow_surface(mask: np.ndarray) -> list[tuple[int, int, int]]:
    """Every voxel with a face neighbor that is background or beyond the array."""
    found = []
    for k, h, w in np.argwhere(mask):
        for dk, dh, dw in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)):
            neighbor = (k + dk, h + dh, w + dw)
            beyond = any(not 0 <= index < size for index, size in zip(neighbor, mask.shape, strict=True))
            if beyond or not mask[neighbor]:
                found.append((k, h, w))
                break
    return found


def slow_figures(prediction: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Dice, HD95 and average surface distance by a loop over all pairs of surface voxels."""
    dice = 2 * int((prediction & truth).sum()) / int(prediction.sum() + truth.sum())
    surfaces = [slow_surface(prediction), slow_surface(truth)]
    directed = []
    for start, target in (surfaces, surfaces[::-1]):
        nearest = []
        for a in start:
            steps = [[(x - y) * s for x, y, s in zip(a, b, SPACING_KHW, strict=True)] for b in target]
            nearest.append(min(math.hypot(*step) for step in steps))
        directed.append(nearest)
    hd95 = max(np.percentile(nearest, 95) for nearest in directed)
    return dice, float(hd95), float(np.mean(directed[0] + directed[1]))


@pytest.mark.parametrize("seed", [0, 1])
def test_distances_are_those_of_a_loop_over_all_surface_pairs(seed: int) -> None:
    prediction, truth = blobs(seed), blobs(seed + 10)

    found = compare(prediction, truth, spacing_khw=SPACING_KHW, values=[3, 1, 2])

    assert [metrics.value for metrics in found] == [3, 1, 2]
    for metrics in found:
        expected = slow_figures(prediction == metrics.value, truth == metrics.value)
        assert (metrics.dice, metrics.hd95_mm, metrics.asd_mm) == pytest.approx(expected, rel=1e-9)
        assert metrics.note == ""


# MONAI 1.6 warns about an argument that it gives itself.
@pytest.mark.filterwarnings("ignore::FutureWarning:monai")
@pytest.mark.parametrize("shape", [(6, 20, 22), (1, 20, 22)])
def test_distances_are_those_of_monai(shape: tuple[int, int, int]) -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    prediction, truth = blobs(3, shape), blobs(4, shape)

    found = compare(prediction, truth, spacing_khw=SPACING_KHW, values=[1, 2, 3])

    # A one-slice volume is compared in its plane, so MONAI is asked about the plane.
    planar = shape[0] == 1
    spacing = list(SPACING_KHW[1:] if planar else SPACING_KHW)
    for row in found:
        masks = [torch.from_numpy(labels == row.value) for labels in (prediction, truth)]
        one_hot = [(mask[0] if planar else mask)[None, None].float() for mask in masks]
        hd95 = metrics.compute_hausdorff_distance(*one_hot, percentile=95, spacing=spacing)
        asd = metrics.compute_average_surface_distance(*one_hot, symmetric=True, spacing=spacing)
        dice = metrics.compute_dice(*one_hot)
        expected = (float(dice), float(hd95), float(asd))
        assert (row.dice, row.hd95_mm, row.asd_mm) == pytest.approx(expected, rel=1e-5)


def test_a_slab_moved_by_one_slice_is_one_slice_away() -> None:
    truth = np.zeros((6, 4, 4), dtype=np.int16)
    truth[1] = 1
    prediction = np.roll(truth, 2, axis=0)

    (metrics,) = compare(prediction, truth, spacing_khw=(2.5, 1.0, 1.0), values=[1])

    assert (metrics.dice, metrics.hd95_mm, metrics.asd_mm) == (0.0, 5.0, 5.0)
    assert metrics.note == ""


def test_volumes_are_in_milliliters_and_counts_in_voxels() -> None:
    truth = np.zeros((4, 10, 10), dtype=np.int16)
    truth[:2, :5, :5] = 7
    prediction = truth.copy()
    prediction[0] = 0

    (metrics,) = compare(prediction, truth, spacing_khw=(10.0, 2.0, 2.0), values=[7])

    assert (metrics.truth_volume_ml, metrics.volume_ml) == pytest.approx((50 * 0.04, 25 * 0.04))
    assert (metrics.prediction_voxels, metrics.truth_voxels, metrics.intersection) == (25, 50, 25)
    assert metrics.dice == pytest.approx(2 / 3)


def test_equal_labelings_agree_fully() -> None:
    labels = blobs(5)

    found = compare(labels, labels, spacing_khw=SPACING_KHW, values=[1, 2, 3])

    assert [(a.dice, a.hd95_mm, a.asd_mm) for a in found] == [(1.0, 0.0, 0.0)] * 3


def test_one_voxel_in_a_volume_of_one_voxel_has_a_surface() -> None:
    labels = np.ones((1, 1, 1), dtype=np.int16)

    (metrics,) = compare(labels, labels, spacing_khw=SPACING_KHW, values=[1])

    assert (metrics.dice, metrics.hd95_mm, metrics.asd_mm) == (1.0, 0.0, 0.0)


def test_absent_missed_and_invented_structures_say_what_happened() -> None:
    prediction = np.zeros((3, 4, 4), dtype=np.int16)
    truth = prediction.copy()
    truth[1, 1, 1] = 1
    prediction[1, 1, 1] = 2

    missed, invented, absent = compare(prediction, truth, spacing_khw=SPACING_KHW, values=[1, 2, 3])

    assert [a.note for a in (missed, invented, absent)] == [MISSED, INVENTED, ABSENT]
    assert (missed.dice, invented.dice) == (0.0, 0.0)
    assert math.isnan(absent.dice)
    assert all(math.isnan(a.hd95_mm) and math.isnan(a.asd_mm) for a in (missed, invented, absent))
    assert (missed.volume_ml, invented.truth_volume_ml) == (0.0, 0.0)


def test_pooled_dice_counts_voxels_of_all_cases_together() -> None:
    large_truth, small_truth = np.zeros((2, 1, 10, 10), dtype=np.int16)
    large_truth[:] = 1
    small_truth[0, 0, :2] = 1
    missed = np.zeros_like(small_truth)
    cases = [(large_truth, large_truth), (missed, small_truth)]

    found = [metrics for p, t in cases for metrics in compare(p, t, spacing_khw=SPACING_KHW, values=[1, 2])]

    # The mean of the cases' Dice would be 0.5.
    assert pooled_dice(found)[1] == pytest.approx(200 / 202)
    assert math.isnan(pooled_dice(found)[2])
    assert pooled_dice([]) == {}


def test_maps_of_different_shape_are_refused() -> None:
    maps = np.zeros((2, 3, 4), dtype=np.int16), np.zeros((2, 3, 5), dtype=np.int16)

    with pytest.raises(BadFile, match=r"the prediction has \(2, 3, 4\) voxels .* the label \(2, 3, 5\)"):
        compare(*maps, spacing_khw=SPACING_KHW, values=[1])


def test_fractional_labels_are_refused() -> None:
    labels = np.zeros((2, 3, 4), dtype=np.int16)

    with pytest.raises(BadFile, match="The label holds numbers of type float64, expected whole numbers"):
        compare(labels, labels.astype(float), spacing_khw=SPACING_KHW, values=[1])


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan])
def test_an_impossible_spacing_is_refused(step: float) -> None:
    labels = np.zeros((2, 3, 4), dtype=np.int16)

    with pytest.raises(BadSetting, match="cannot be used for distances"):
        compare(labels, labels, spacing_khw=(step, 1.0, 1.0), values=[1])


def test_the_background_is_not_a_structure() -> None:
    labels = np.zeros((2, 3, 4), dtype=np.int16)

    with pytest.raises(BadSetting, match=r"Structure values \[0, 1\] contain one below 1"):
        compare(labels, labels, spacing_khw=SPACING_KHW, values=[1, 0])
