"""Window by window gives what the whole volume at once would give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from ContrastiveSegLib.inference import sliding_window
from ContrastiveSegLib.inference.sliding_window import predict_probabilities, predict_slices

CPU = torch.device("cpu")
HALF = 2e-3  # rounding of float16


def pixel_by_pixel(images: Tensor) -> Tensor:
    """A network that looks at single pixels: where the window lies cannot matter."""
    gray = images[:, :1]
    return torch.cat([gray, 1 - gray, 2 * gray * (images.shape[1])], 1)


def beside(images: Tensor) -> Tensor:
    """A network that looks one pixel to the left: mirroring matters."""
    return torch.cat([images, images.roll(1, -1)], 1)


def on_everything(network, images: np.ndarray) -> np.ndarray:
    """Softmax of the network on all slices at once: (classes, K, H, W)."""
    slices = torch.from_numpy(images).float().movedim(1, 0)  # (K, C, H, W)
    return network(slices).softmax(1).movedim(0, 1).numpy()


@pytest.fixture(params=[(3, 40, 56), (2, 20, 24), (1, 32, 32), (5, 33, 16)], ids=str)
def some_images(request) -> np.ndarray:
    return np.random.default_rng(0).random((1, *request.param), np.float32).astype(np.float16)


@pytest.mark.parametrize("patch", [(32, 32), (2, 32, 32)], ids=["2D", "3D"])
def test_windows_add_up_to_the_whole(some_images, patch):
    probabilities = predict_probabilities(pixel_by_pixel, some_images, patch, CPU)

    assert probabilities.dtype == np.float16
    np.testing.assert_allclose(probabilities, on_everything(pixel_by_pixel, some_images), atol=HALF)


def test_probabilities_of_a_real_network_sum_to_one(a_network, some_images):
    probabilities = predict_probabilities(a_network.eval(), some_images, (32, 32), CPU)

    assert probabilities.shape == (3, *some_images.shape[1:])
    np.testing.assert_allclose(probabilities.astype(float).sum(0), 1, atol=HALF)


def test_all_channels_reach_the_network():
    images = np.random.default_rng(0).random((3, 2, 32, 32), np.float32)

    probabilities = predict_probabilities(lambda x: x, images, (32, 32), CPU)

    np.testing.assert_allclose(probabilities, on_everything(lambda x: x, images), atol=HALF)


def test_the_size_of_the_groups_of_slices_does_not_matter(a_network, monkeypatch):
    images = np.random.default_rng(0).random((1, 5, 32, 48), np.float32)
    together = predict_probabilities(a_network.eval(), images, (32, 32), CPU)

    monkeypatch.setattr(sliding_window, "PIXELS_AT_ONCE", 2 * 32 * 48)
    two_by_two = predict_probabilities(a_network, images, (32, 32), CPU)

    np.testing.assert_allclose(two_by_two, together, atol=HALF)


def test_mirroring_averages_over_the_four_mirrored_copies():
    images = np.random.default_rng(0).random((1, 2, 32, 32), np.float32)

    mirrored = np.stack([*predict_slices(beside, images, (32, 32), CPU, mirror=True)], axis=1)

    copies = []
    for axes in itertools.chain.from_iterable(itertools.combinations((-2, -1), n) for n in range(3)):
        copies.append(np.flip(on_everything(beside, np.flip(images, axes).copy()), axes))
    assert len(copies) == 4
    np.testing.assert_allclose(mirrored, np.mean(copies, 0), atol=HALF)
    assert np.abs(mirrored - copies[0]).max() > 0.01


@pytest.mark.parametrize(
    ("size", "window"), [((100, 40), (128, 64)), ((20, 20), (64, 64)), ((2048, 1024), (64, 64))]
)
def test_a_slice_goes_as_a_whole_while_it_fits(size, window):
    seen = set()

    def network(images: Tensor) -> Tensor:
        seen.add(tuple(images.shape[2:]))
        return torch.cat([images, images], 1)

    probabilities = predict_probabilities(network, np.zeros((1, 1, *size), np.float16), (64, 64), CPU)

    assert seen == {window}
    assert probabilities.shape == (2, 1, *size)


def test_predicting_leaves_the_statistics_of_a_network_in_training_alone(a_network) -> None:
    a_network.train()
    before = {name: value.clone() for name, value in a_network.state_dict().items()}

    predict_probabilities(a_network, np.ones((1, 2, 32, 32), np.float16), (32, 32), CPU)

    after = a_network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
