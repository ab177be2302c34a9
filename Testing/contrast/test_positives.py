"""Masks say who attracts whom."""

from __future__ import annotations

import itertools

import torch

from ContrastiveSegLib.contrast.positives import near_height, same_image, two_views


def test_an_image_attracts_only_itself():
    assert same_image(torch.tensor([0.5, 0.5, 0.1])).tolist() == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def test_near_heights_attract_each_other_in_pairs():
    heights = torch.rand(20, generator=torch.Generator().manual_seed(0))

    positives = near_height(heights, threshold=0.2)

    for i, j in itertools.product(range(20), repeat=2):
        assert positives[i, j].item() == (abs(heights[i] - heights[j]).item() < 0.2)


def test_the_threshold_itself_is_too_far():
    assert not near_height(torch.tensor([0.25, 0.5]), threshold=0.25)[0, 1]


def test_a_threshold_of_zero_leaves_each_image_to_itself():
    assert torch.equal(near_height(torch.full((3,), 0.5), threshold=0.0), torch.eye(3, dtype=torch.bool))


def test_an_unknown_height_attracts_only_itself():
    positives = near_height(torch.tensor([0.5, float("nan"), float("nan")]), threshold=1.0)

    assert torch.equal(positives, torch.eye(3, dtype=torch.bool))


def test_random_heights_attract_as_many_as_the_specification_computes():
    heights = torch.rand(2000, generator=torch.Generator().manual_seed(0))

    share = near_height(heights, threshold=0.1).float().mean().item()

    assert abs(share - 0.19) < 0.01


def test_rows_of_two_views_are_all_first_views_and_then_all_second_views():
    positives = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])

    mask = two_views(positives)

    assert mask.shape == (6, 6)
    for row, column in itertools.product(range(6), repeat=2):
        assert mask[row, column] == positives[row % 3, column % 3]
