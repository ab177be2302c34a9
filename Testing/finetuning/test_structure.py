"""Cells on skeletons and in rings, against masks drawn by hand and one thinning at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.morphology import skeletonize
from torch import Generator

from ContrastiveSegLib.finetuning import _structure as structure
from ContrastiveSegLib.finetuning._structure import Cells, dilated, structure_cells, thinned


def a_generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture
def two_organs() -> torch.Tensor:
    """Labels (3, 64, 96): a large organ beside a second one, only the second, none."""
    labels = torch.zeros(3, 64, 96, dtype=torch.int64)
    labels[0, 12:44, 20:48] = 1
    labels[:2, 12:44, 48:72] = 2
    return labels


@pytest.mark.parametrize("box", [(3, 5), (4, 1), (2, 6)])
@pytest.mark.parametrize("steps", [(1, 1), (4, 2)])
def test_dilation_by_a_box_equals_scipy_at_every_step(box, steps):
    masks = torch.rand(2, 3, 24, 16, generator=a_generator()) > 0.97

    grown = dilated(masks, box, steps)

    for mask, found in zip(masks.flatten(0, 1), grown.flatten(0, 1), strict=True):
        expected = ndimage.maximum_filter(mask.numpy(), box, mode="constant")
        np.testing.assert_array_equal(found.numpy(), expected[:: steps[0], :: steps[1]])


@pytest.mark.parametrize("shape", [(5, 2, 12, 9), (2, 2, 6, 12, 9)])
def test_thinning_all_masks_at_once_equals_one_after_the_other(shape):
    random = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(random.random(shape), [0, 0, *[1] * (len(shape) - 2)])
    masks = smooth > 0.5

    together = thinned(masks, dims=len(shape) - 2)

    assert together.any()
    for i, j in np.ndindex(shape[:2]):
        np.testing.assert_array_equal(together[i, j], skeletonize(masks[i, j]) > 0)


def test_samplers_never_cross_the_mask(two_organs):
    for seed in range(20):
        cells = structure_cells(two_organs, (16, 24), 3, a_generator(seed))

        at_cell = two_organs[:, ::4, ::4].flatten(1)[cells.images, cells.places]
        assert torch.equal(at_cell, cells.classes)  # 0 is background, and never another organ
        assert sorted(zip(cells.images.tolist(), cells.classes.tolist(), strict=True)) == [
            (0, 0), (0, 0), (0, 1), (0, 2), (1, 0), (1, 2)
        ]  # fmt: skip
        near = ndimage.binary_dilation(two_organs.numpy() > 0, np.ones((1, 21, 21)))[:, ::4, ::4]
        assert near.reshape(3, -1)[cells.images, cells.places].all()


def test_cells_of_a_structure_lie_on_its_skeleton(two_organs):
    skeletons = [skeletonize(two_organs[0, ::4, ::4].numpy() == value) for value in (1, 2)]

    for seed in range(10):
        cells = structure_cells(two_organs[:1], (16, 24), 3, a_generator(seed))
        for value, skeleton in zip((1, 2), skeletons, strict=True):
            assert skeleton.flatten()[cells.places[cells.classes == value]].all()


def test_unknown_voxels_are_neither_structure_nor_surroundings(two_organs):
    two_organs[:, :12] = -1
    two_organs[:, 44:] = -1

    for seed in range(10):
        cells = structure_cells(two_organs, (16, 24), 3, a_generator(seed))
        rows = cells.places // 24 * 4
        assert ((rows >= 12) & (rows < 44)).all()
        assert (cells.classes == 0).any()


def test_blocks_give_a_cell_per_slice_of_the_grid():
    labels = torch.zeros(2, 16, 64, 64, dtype=torch.int64)
    labels[0, 4:12, 16:48, 16:48] = 1

    cells = structure_cells(labels, (8, 16, 16), 2, a_generator())

    organ = cells.classes == 1
    assert cells.images.unique().tolist() == [0]
    slices = (cells.places // 256)[organ]
    assert set(slices.tolist()) <= set(range(2, 6))
    assert len(slices.unique()) == len(slices)
    assert torch.equal(labels[:, ::2, ::4, ::4].flatten(1)[cells.images, cells.places], cells.classes)


def test_small_structures_are_passed_over(two_organs):
    two_organs[two_organs == 2] = 0
    two_organs[1, 4:16, 4:16] = 2  # nine cells

    cells = structure_cells(two_organs, (16, 24), 3, a_generator())

    assert 2 not in cells.classes


def test_a_class_has_a_largest_number_of_cells(two_organs, monkeypatch):
    monkeypatch.setattr(structure, "MOST_OF_A_CLASS", 4)

    cells = structure_cells(two_organs[:1].repeat(9, 1, 1), (16, 24), 3, a_generator())

    assert torch.bincount(cells.classes).tolist() == [4, 4, 4]


def test_labels_of_background_alone_give_no_cell():
    cells = structure_cells(torch.zeros(2, 32, 32, dtype=torch.int64), (8, 8), 3, a_generator())

    assert len(cells.classes) == 0
    assert cells.of(torch.rand(2, 5, 8, 8)).shape == (0, 5)


def test_features_are_fetched_at_the_cells():
    features = torch.rand(3, 5, 4, 6)
    cells = Cells(torch.tensor([2, 0]), torch.tensor([7, 23]), torch.tensor([1, 0]))

    rows = cells.of(features)

    assert torch.equal(rows, torch.stack([features[2, :, 1, 1], features[0, :, 3, 5]]))
