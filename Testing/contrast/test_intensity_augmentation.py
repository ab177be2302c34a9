"""A view changes gray values by the formulas it promises, and as often as asked."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ContrastiveSegLib.contrast import augmentation
from ContrastiveSegLib.contrast.augmentation import (
    IntensityAugmentation,
    augment_intensities,
)

UNCHANGED = IntensityAugmentation(brightness=0, contrast=0, gamma=0, noise=0, blur=0)


@pytest.mark.parametrize("shape", [(2, 3, 16, 20), (2, 3, 4, 16, 20)], ids=["2D", "3D"])
def test_no_change_returns_the_gray_values(shape, images_of, a_generator):
    images = images_of(*shape)

    assert torch.allclose(augment_intensities(images, UNCHANGED, a_generator), images, atol=1e-6)


def test_brightness_contrast_and_gamma_follow_their_formulas(draw_always, images_of, a_generator):
    draw_always(0.75)  # half of each limit
    images = images_of(2, 2, 6, 8)

    changed = augment_intensities(
        images, IntensityAugmentation(brightness=0.4, contrast=0.8, gamma=1, noise=0, blur=0), a_generator
    )

    for b, c, h, w in itertools.product(*map(range, images.shape)):
        mean = images[b, c].mean().item()
        value = (images[b, c, h, w].item() - mean) * 1.4 + mean * 1.2
        assert changed[b, c, h, w].item() == pytest.approx(max(value, 0) ** math.exp(0.5), abs=1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 16, 20), (2, 3, 4, 16, 20)], ids=["2D", "3D"])
def test_blur_is_gaussian_in_plane_with_a_sigma_per_image(shape, images_of):
    images, sigma = images_of(*shape), torch.tensor([0.5, 0.9])

    blurred = augmentation._blur(images, sigma.view(-1, *(1,) * (len(shape) - 1)))

    for image, one, s in zip(images.numpy(), blurred, sigma.tolist(), strict=True):
        in_plane = (0,) * (image.ndim - 2) + (s, s)
        expected = gaussian_filter(image, in_plane, mode="nearest", radius=2)
        np.testing.assert_allclose(one, expected, atol=1e-5)


def test_noise_has_the_strength_drawn_and_differs_between_pixels(draw_always, a_generator):
    draw_always(0.75)
    images = torch.full((2, 1, 64, 64), 0.5)

    noise = (
        augment_intensities(
            images, IntensityAugmentation(brightness=0, contrast=0, gamma=0, noise=0.1, blur=0), a_generator
        )
        - 0.5
    )

    assert noise.std().item() == pytest.approx(0.05, rel=0.05)
    assert abs(np.corrcoef(noise[0].flatten(), noise[1].flatten())[0, 1]) < 0.06


def test_a_change_of_appearance_happens_as_often_as_asked(images_of, a_generator):
    images = images_of(1, 1, 8, 8).expand(600, -1, -1, -1)
    how = IntensityAugmentation(brightness=0.5, contrast=0, gamma=0, noise=0, blur=0, probability=0.3)

    same = (augment_intensities(images, how, a_generator) - images).abs().amax(dim=(1, 2, 3)) < 1e-6

    assert 0.23 < 1 - same.float().mean().item() < 0.37
