"""Features of slices are those of the encoder, and comparable features keep their distances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ContrastiveSegLib.active_learning import features as module
from ContrastiveSegLib.active_learning.features import case_feature, comparable, slice_features
from ContrastiveSegLib.networks.backbone import pools_for

CPU = torch.device("cpu")


class Pools(nn.Module):
    """An encoder whose deepest features are means over cells, halved along K only in 3D."""

    def encode(self, images):
        if images.ndim == 5:
            return [images, nn.functional.avg_pool3d(images, (2, 4, 4))]
        return [images, nn.functional.avg_pool2d(images, 4)]


def some_images(shape, channels=2):
    return np.random.default_rng(0).random((channels, *shape), np.float32).astype(np.float16)


def test_a_slice_is_described_by_the_mean_of_its_middle(monkeypatch):
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 2 * 16 * 16)  # two slices at a time
    images = some_images((5, 20, 24))

    found = slice_features(Pools(), images, (16, 16), CPU)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, images[:, :, 2:18, 4:20].astype(float).mean((2, 3)).T, atol=1e-6)


def test_around_a_small_image_there_is_air():
    images = some_images((3, 10, 12))

    found = slice_features(Pools(), images, (16, 16), CPU)

    np.testing.assert_allclose(found, images.astype(float).sum((2, 3)).T / 256, atol=1e-6)


def test_in_3d_a_slice_has_the_features_of_its_part_of_the_slab():
    images = some_images((7, 16, 16))

    found = slice_features(Pools(), images, (4, 16, 16), CPU)

    means = images.astype(float).mean((2, 3)).T  # (K, C)
    for k, pair in enumerate([(0, 1), (0, 1), (2, 3), (2, 3), (4, 5), (4, 5), (6, 6)]):
        np.testing.assert_allclose(found[k], means[list(pair)].mean(0), atol=1e-6)


@pytest.mark.parametrize("patch", [(32, 32), (8, 32, 32)], ids=["2D", "3D"])
def test_a_real_network_gives_one_row_per_slice(make_network, patch):
    network = make_network(spatial_dims=len(patch), pools=pools_for(patch)).eval()

    found = slice_features(network, some_images((6, 40, 48), channels=1), patch, CPU)

    assert found.shape == (6, network.widths[-1])
    assert np.isfinite(found).all()


def test_comparable_features_differ_as_their_directions_do():
    random = np.random.default_rng(0)
    cases = [5 + random.random((n, 4)).astype(np.float32) for n in (3, 6)]

    together = np.concatenate(comparable(cases))

    raw = np.concatenate(cases)
    directions = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    slow = np.linalg.norm(directions[:, None] - directions[None], axis=-1)
    mine = np.linalg.norm(together[:, None] - together[None], axis=-1)
    assert np.linalg.norm(together, axis=1).max() == pytest.approx(1)
    np.testing.assert_allclose(together.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(mine / mine.max(), slow / slow.max(), atol=1e-5)


def test_brightness_alone_makes_no_difference():
    case = np.random.default_rng(0).random((4, 3)).astype(np.float32)

    found = comparable([case, 2 * case])

    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_a_case_is_the_mean_slice_of_its_thirds():
    slices = np.arange(12, dtype=np.float32).reshape(6, 2)

    expected = np.concatenate([slices[:2].mean(0), slices[2:4].mean(0), slices[4:].mean(0)]) / np.sqrt(3)
    np.testing.assert_allclose(case_feature(slices), expected, rtol=1e-6)


def test_a_case_of_one_slice_has_three_equal_thirds():
    found = case_feature(np.array([[3.0, 4.0]], np.float32))

    np.testing.assert_allclose(found * np.sqrt(3), [3, 4, 3, 4, 3, 4], rtol=1e-6)
