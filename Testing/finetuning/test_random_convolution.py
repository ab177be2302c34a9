"""Random convolutions: other gray values and textures, shapes where they were."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.finetuning._random_convolution import randomly_convolved


@pytest.fixture(params=[(3, 1, 24, 20), (2, 2, 6, 24, 20)])
def some_images(request) -> torch.Tensor:
    return torch.rand(request.param, generator=Generator().manual_seed(0))


def test_gray_values_fill_zero_to_one_and_the_seed_repeats(some_images):
    first, again, other = (randomly_convolved(some_images, Generator().manual_seed(s)) for s in (1, 1, 2))

    assert first.shape == some_images.shape
    assert first.flatten(1).amin(1).tolist() == [0] * len(first)
    torch.testing.assert_close(first.flatten(1).amax(1), torch.ones(len(first)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_image_has_a_convolution_of_its_own():
    image = torch.rand(1, 1, 24, 20).repeat(2, 1, 1, 1)

    one, other = randomly_convolved(image, Generator().manual_seed(0))

    assert not torch.allclose(one, other, atol=0.01)


def test_a_pixel_is_spread_no_further_than_the_largest_kernel():
    image = torch.zeros(1, 1, 33, 33)
    image[0, 0, 16, 16] = 1

    for seed in range(10):
        seen = randomly_convolved(image, Generator().manual_seed(seed))[0, 0]
        background = seen[0, 0]
        away = (seen != background).nonzero() - 16
        assert away.abs().max() <= 3
