"""Shades: histograms that tell structures apart, learned slice by slice."""

from __future__ import annotations

import numpy as np

from ContrastiveSegLib.propagation.intensity_model import BINS, IntensityModel

SHAPE = (60, 80)


def a_slice(organ: int, around: int, far: int = 255) -> tuple[np.ndarray, np.ndarray]:
    """An organ in its surroundings, with something else in the far corner."""
    image, labels = np.full(SHAPE, around, np.uint8), np.zeros(SHAPE, np.int32)
    labels[20:40, 10:30] = 7
    image[labels == 7] = organ
    image[:, 65:] = far
    return image, labels


def test_each_pixel_fits_the_class_whose_intensity_it_has() -> None:
    image, labels = a_slice(organ=200, around=40)
    shades = IntensityModel.of(image[None], labels[None], pixel_mm=1)

    background, organ = shades.log_likelihood(np.full(SHAPE, 200, np.uint8), [0, 7])
    assert (organ > background + 2).all()
    background, organ = shades.log_likelihood(np.full(SHAPE, 40, np.uint8), [0, 7])
    assert (background > organ + 2).all()


def test_a_likelihood_is_the_logarithm_of_a_density() -> None:
    image, labels = a_slice(organ=200, around=40)
    shades = IntensityModel.of(image[None], labels[None], pixel_mm=1)
    ramp = np.repeat(np.arange(BINS) * 256 // BINS + 4, 10).astype(np.uint8)[None].repeat(3, axis=0)

    fits = shades.log_likelihood(ramp, [7])[0, 1, 5::10]  # the middle of each step

    np.testing.assert_allclose(np.exp(fits).sum(), 1, atol=1e-9)
    assert fits.argmax() == 200 * BINS // 256


def test_what_lies_far_away_says_nothing_about_the_surroundings() -> None:
    image, labels = a_slice(organ=200, around=40, far=120)

    near = IntensityModel.of(image[None], labels[None], pixel_mm=1).histograms[0]
    whole = IntensityModel.of(image[None], labels[None], pixel_mm=0.1).histograms[0]

    assert near[120 * BINS // 256] == 0
    assert whole[120 * BINS // 256] > 0.1


def test_all_slices_count_and_empty_ones_do_not() -> None:
    bright, labels = a_slice(organ=200, around=40)
    dark, _ = a_slice(organ=100, around=40)
    nothing = np.zeros_like(labels)

    shades = IntensityModel.of(
        np.stack([bright, dark, dark]), np.stack([labels, labels, nothing]), pixel_mm=1
    )

    organ = shades.histograms[7]
    np.testing.assert_allclose(organ.sum(), 1)
    alone = [
        IntensityModel.of(image[None], labels[None], pixel_mm=1).histograms[7] for image in (bright, dark)
    ]
    np.testing.assert_allclose(organ, np.mean(alone, axis=0))


def test_intensities_become_by_a_share_those_of_the_next_slice() -> None:
    first, labels = a_slice(organ=200, around=40)
    second, _ = a_slice(organ=100, around=40)
    old, new = (IntensityModel.of(image[None], labels[None], pixel_mm=1) for image in (first, second))

    moved = old.moved_towards(new, 0.3)

    np.testing.assert_allclose(moved.histograms[7], 0.7 * old.histograms[7] + 0.3 * new.histograms[7])
    gone = IntensityModel({0: new.histograms[0]})
    np.testing.assert_allclose(old.moved_towards(gone, 0.3).histograms[7], old.histograms[7])


def test_a_class_nobody_has_seen_fits_like_its_surroundings() -> None:
    image, labels = a_slice(organ=200, around=40)
    labels[5, 5] = 9  # one pixel is no histogram

    background, unseen = IntensityModel.of(image[None], labels[None], pixel_mm=1).log_likelihood(
        image, [0, 9]
    )

    np.testing.assert_array_equal(unseen, background)
