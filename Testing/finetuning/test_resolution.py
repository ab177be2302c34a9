"""Coarse to fine: which trainings are at half the resolution, and how long they take."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ContrastiveSegLib.finetuning import _resolution
from ContrastiveSegLib.finetuning._model import Cases
from ContrastiveSegLib.finetuning._resolution import dice_after_halving, downsampling_of_rounds, in_steps_of
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL


def labels_of(*blocks: tuple[slice, slice]) -> np.ndarray:
    labels = np.zeros((32, 32), np.int16)
    for n, block in enumerate(blocks, start=1):
        labels[block] = n
    return labels


def task_of(said: list[str], *, patch: tuple[int, ...] = (64, 64), structures: int = 1, **options):
    return SimpleNamespace(
        settings=SimpleNamespace(
            strategy="self_training", options={"coarse_to_fine": True} | options, seed=0
        ),
        decided={"network": "unet", "base_channels": 4},
        grid=SimpleNamespace(patch=patch),
        table=SimpleNamespace(structures=range(structures), names=["heart", "vessel"][:structures]),
        reporter=SimpleNamespace(info=said.append),
    )


@pytest.fixture
def large(make_case) -> Cases:
    labels = labels_of((slice(4, 20), slice(4, 24)))
    return Cases([replace(make_case("one"), labels=np.stack([labels] * 2), annotation="cases")], [])


@pytest.fixture
def thin(make_case) -> Cases:
    labels = labels_of((slice(4, 20), slice(4, 24)), (slice(25, 26), slice(2, 30)))
    return Cases([replace(make_case("one"), labels=np.stack([labels] * 2), annotation="cases")], [])


def test_of_a_block_corners_are_lost_that_lie_between_two_pairs_of_pixels():
    # Enlarged, an edge has 0.75 if pairs end there, else 0.75 x 0.5 + 0.25. Three corners have too little:
    # 0.625 x 0.625, and twice 0.75 x 0.625.
    even, odd = (labels_of((slice(n, 20), slice(n, 24))) for n in (4, 5))

    assert dice_after_halving([even], 1)[0] == 1.0
    assert dice_after_halving([odd], 1)[0] == pytest.approx(2 * 282 / (285 + 282))


def test_a_slice_with_an_odd_side_loses_no_more():
    even = labels_of((slice(22, 30), slice(22, 30)))
    odd = np.pad(even, ((0, 1), (0, 1)))

    assert dice_after_halving([odd], 1) == dice_after_halving([even], 1)


def test_a_line_of_one_pixel_vanishes_and_what_is_nowhere_is_not_judged():
    shown = dice_after_halving([labels_of((slice(25, 26), slice(2, 30)))], 2)

    assert shown[0] == 0.0
    assert np.isnan(shown[1])


def test_what_nobody_annotated_is_not_judged():
    labels = labels_of((slice(4, 20), slice(4, 24)))
    labels[labels == 0] = IGNORE_LABEL
    whole = dice_after_halving([labels_of((slice(4, 20), slice(4, 24)))], 1)

    assert dice_after_halving([labels], 1)[0] >= whole[0]


def test_all_trainings_but_the_last_are_coarse(large):
    said: list[str] = []

    assert downsampling_of_rounds(task_of(said), large, 2) == [2, 2, 1]
    assert said == ["All trainings but the last see the images at half the resolution."]


@pytest.mark.parametrize(
    ("options", "patch", "why"),
    [
        ({"coarse_to_fine": False}, (64, 64), None),
        ({}, (48, 48), "the patch cannot be halved once more"),
        ({}, (16, 64, 64), "for blocks half of it was not enough"),
    ],
)
def test_all_are_at_full_resolution_where_that_is_asked_or_nothing_else_fits(large, options, patch, why):
    said: list[str] = []

    assert downsampling_of_rounds(task_of(said, patch=patch, **options), large, 2) == [1, 1, 1]
    assert said == ([f"All trainings are at full resolution, because {why}."] if why else [])


def test_a_structure_that_half_the_pixels_cannot_show_keeps_all_at_full_resolution(thin):
    said: list[str] = []

    assert downsampling_of_rounds(task_of(said, structures=2), thin, 1) == [1, 1]
    assert said == ['All trainings are at full resolution, because "vessel" is too fine for half of it.']


def test_scribbles_and_a_single_training_stay_at_full_resolution(large):
    scribbled = Cases([replace(large.training[0], annotation="scribbles")], [])

    assert downsampling_of_rounds(task_of([]), scribbled, 1) == [1, 1]
    assert downsampling_of_rounds(task_of([]), large, 0) == [1]


def test_finer_trainings_to_come_take_longer_than_as_many_steps_of_this_one():
    assert in_steps_of([2, 2, 1], 0, 100) == pytest.approx(100 * (_resolution.FINE_STEP - 1))
    assert in_steps_of([2, 2, 1], 2, 100) == 0
    assert in_steps_of([1, 1, 1], 0, 100) == 0
