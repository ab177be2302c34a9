"""Masks say who attracts whom."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
import torch

from ContrastiveSegLib.contrast.positives import near_slice_position, same_image, same_part, two_views


def test_an_image_attracts_only_itself():
    assert same_image(torch.tensor([0.5, 0.5, 0.1])).tolist() == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def test_near_slice_positions_attract_each_other_in_pairs():
    slice_positions = torch.rand(20, generator=torch.Generator().manual_seed(0))

    positives = near_slice_position(slice_positions, threshold=0.2)

    for i, j in itertools.product(range(20), repeat=2):
        assert positives[i, j].item() == (abs(slice_positions[i] - slice_positions[j]).item() < 0.2)


def test_the_threshold_itself_is_too_far():
    assert not near_slice_position(torch.tensor([0.25, 0.5]), threshold=0.25)[0, 1]


def test_a_threshold_of_zero_leaves_each_image_to_itself():
    assert torch.equal(
        near_slice_position(torch.full((3,), 0.5), threshold=0.0), torch.eye(3, dtype=torch.bool)
    )


def test_an_unknown_slice_position_attracts_only_itself():
    positives = near_slice_position(torch.tensor([0.5, float("nan"), float("nan")]), threshold=1.0)

    assert torch.equal(positives, torch.eye(3, dtype=torch.bool))


def test_random_slice_positions_attract_as_many_as_the_formula_gives():
    slice_positions = torch.rand(2000, generator=torch.Generator().manual_seed(0))

    share = near_slice_position(slice_positions, threshold=0.1).float().mean().item()

    assert abs(share - 0.19) < 0.01


def test_rows_of_two_views_are_all_first_views_and_then_all_second_views():
    positives = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])

    mask = two_views(positives)

    assert mask.shape == (6, 6)
    for row, column in itertools.product(range(6), repeat=2):
        assert mask[row, column] == positives[row % 3, column % 3]


def part_of(k: int, slices: int, parts: int) -> int:
    """Part p holds the slice positions above p / parts up to (p + 1) / parts, in exact arithmetic."""
    return next(p for p in range(parts) if Fraction(k + 1, slices) <= Fraction(p + 1, parts))


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        (4, [0, 1, 2, 3]),
        (8, [0, 0, 1, 1, 2, 2, 3, 3]),
        (10, [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]),
        (12, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]),
    ],
)
def test_quarters_of_the_body_hold_the_slices_up_to_their_end(slices, expected):
    slice_positions = torch.tensor([(k + 1) / slices for k in range(slices)])

    positives = same_part(slice_positions, parts=4)

    labels = torch.tensor(expected)
    assert torch.equal(positives, labels[:, None] == labels)


@pytest.mark.parametrize("slices", [1, 2, 7, 9, 30, 155, 999])
@pytest.mark.parametrize("parts", [2, 3, 4, 7])
def test_parts_are_those_of_exact_arithmetic_also_at_their_ends(slices, parts):
    slice_positions = torch.tensor([(k + 1) / slices for k in range(slices)])

    positives = same_part(slice_positions, parts=parts)

    labels = torch.tensor([part_of(k, slices, parts) for k in range(slices)])
    assert torch.equal(positives, labels[:, None] == labels)


def test_four_quarters_of_divisible_volumes_are_the_partitions_of_the_formula():
    """Section 1.3: part = round(n / 4), label = min(floor(i / part), 3) + 1."""
    slices = {n: [min(i // round(n / 4), 3) for i in range(n)] for n in (4, 8, 12, 40)}
    slice_positions = torch.tensor([(i + 1) / n for n, labels in slices.items() for i in range(len(labels))])

    positives = same_part(slice_positions, parts=4)

    labels = torch.tensor([label for of_volume in slices.values() for label in of_volume])
    assert torch.equal(positives, labels[:, None] == labels)


def test_slices_without_a_place_are_of_no_part():
    positives = same_part(torch.tensor([0.5, float("nan"), float("nan")]), parts=4)

    assert torch.equal(positives, torch.eye(3, dtype=torch.bool))
