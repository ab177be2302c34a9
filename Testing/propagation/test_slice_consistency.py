"""Neighbors and intensities correct an outline; what is right stays, as does what would change too much."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ContrastiveSegLib.propagation.refine import Rules, refine_volume
from ContrastiveSegLib.propagation.slice_consistency import SliceConsistency
from Testing.propagation import drawings
from Testing.propagation.drawings import Painted, dice

SHAPE = (9, 64, 64)
ORGAN, WALL = 1, 2


def tube(radius: float = 14.0) -> np.ndarray:
    """(K, H, W): an organ that drifts a pixel per slice."""
    return np.stack([drawings.disk(SHAPE[1:], (32, 28 + k), radius) for k in range(SHAPE[0])])


def photographed(mask: np.ndarray, contrast: float = 90) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 5, mask.shape)
    return np.clip(100 + contrast * mask + noise, 0, 255).astype(np.uint8)


def jagged(mask: np.ndarray, pixels: float) -> np.ndarray:
    """The outline of each slice deviates smoothly, and on another side than in the next one."""
    generator = np.random.default_rng(1)
    deviating = np.zeros_like(mask)
    for k, true in enumerate(mask):
        depth = ndimage.distance_transform_edt(true) - ndimage.distance_transform_edt(~true)
        noise = ndimage.gaussian_filter(generator.normal(size=true.shape), 6)
        deviating[k] = depth + pixels * noise / noise.std() > 0
    return deviating


def corrected(slices: np.ndarray, labels: np.ndarray, smallest_overlap: float = 0.5) -> np.ndarray:
    volume = SliceConsistency.of(slices, labels, pixel_mm=1.0)
    return np.stack([volume.slice(k, smallest_overlap) for k in range(len(slices))])


def test_outlines_that_differ_from_slice_to_slice_are_mended() -> None:
    true = tube()
    worn = jagged(true, 4.0)

    mended = corrected(photographed(true), worn.astype(np.int16)) == ORGAN

    before, after = ([dice(one, other) for one, other in zip(m, true, strict=True)] for m in (worn, mended))
    assert np.mean(before) < 0.87
    assert np.mean(after) > 0.95
    assert all(now > was for now, was in zip(after, before, strict=True))


def test_where_no_intensity_tells_the_slices_beside_still_do() -> None:
    true = tube()
    worn = jagged(true, 4.0)

    mended = corrected(np.full(SHAPE, 100, np.uint8), worn.astype(np.int16)) == ORGAN

    assert dice(mended, true) > dice(worn, true) + 0.02


def test_a_single_slice_is_corrected_by_its_intensities_alone() -> None:
    true = tube()[4:5]
    worn = jagged(true, 2.0)

    mended = corrected(photographed(true), worn.astype(np.int16)) == ORGAN

    assert dice(mended, true) > dice(worn, true) + 0.03


def test_what_is_right_stays() -> None:
    true = tube()

    assert dice(corrected(photographed(true), true.astype(np.int16)) == ORGAN, true) > 0.99


@pytest.mark.parametrize("smallest_overlap", [0.0, 0.9])
def test_what_would_depart_too_far_stays_pixel_by_pixel(smallest_overlap: float) -> None:
    true = tube()
    labels = true.astype(np.int16)
    labels[4] = drawings.disk(SHAPE[1:], (32, 32), 18)

    mended = corrected(photographed(true), labels, smallest_overlap)

    assert np.array_equal(mended[4], labels[4]) is (smallest_overlap > 0)


def test_nothing_appears_where_a_structure_was_not_and_holes_stay_open() -> None:
    wall = tube(16) & ~tube(9)
    labels = np.where(wall, WALL, 0).astype(np.int16)
    labels[4] = np.where(tube(16)[4], ORGAN, 0)
    labels[8] = 0

    mended = corrected(photographed(tube(9)), labels)

    assert [set(np.unique(each)) for each in mended] == [set(np.unique(each)) for each in labels]
    assert not mended[2][32, 30]


def test_outlines_that_agree_from_slice_to_slice_do_not_deviate() -> None:
    true = tube()
    worn = np.stack([ndimage.binary_erosion(each, iterations=2) for each in true])

    for labels in (true, worn):
        assert (
            SliceConsistency.of(photographed(true), labels.astype(np.int16), pixel_mm=1.0).deviation_mm() < 1
        )


@pytest.mark.parametrize(("wider", "expected"), [(0, 0), (3, 3), (6, 6)])
def test_deviation_is_the_distance_of_neighboring_outlines(wider: float, expected: float) -> None:
    still = np.full(SHAPE, 100, np.uint8)
    labels = np.stack([drawings.disk(SHAPE[1:], (32, 32), 14 + wider * (k % 2)) for k in range(SHAPE[0])])

    found = SliceConsistency.of(still, labels.astype(np.int16), pixel_mm=0.5).deviation_mm()

    assert found == pytest.approx(0.5 * expected, abs=0.3)


def test_a_single_outline_has_no_deviation() -> None:
    labels = np.zeros(SHAPE, np.int16)
    labels[3] = tube()[3]

    assert SliceConsistency.of(photographed(tube()), labels, pixel_mm=1.0).deviation_mm() == 0


@pytest.mark.parametrize("steady", [True, False])
def test_the_model_is_asked_about_what_was_corrected(steady: bool) -> None:
    true = tube()
    worn = jagged(true, 4.0).astype(np.int16)
    slices, consistency = photographed(true), SliceConsistency.of(photographed(true), worn, pixel_mm=1.0)
    model = Painted(drawings.disk(SHAPE[1:], (2, 2), 1))  # finds something else: every answer is refused

    found = list(refine_volume(model, slices, worn, Rules(), consistency if steady else None))

    after = np.stack([labels for _, labels, _ in found])
    assert np.array_equal(after, worn) is not steady
    assert not any(line.acceptance.accepted for _, _, lines in found for line in lines)
    assert [line.before for _, _, lines in found for line in lines] == [int(m.sum()) for m in after]
