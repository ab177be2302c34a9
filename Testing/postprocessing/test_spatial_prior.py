"""Scans agree on where a structure lies, and the piece there is kept, even if another one is larger."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.postprocessing import spatial_prior as place_module
from ContrastiveSegLib.postprocessing.connected_components import keep_largest
from ContrastiveSegLib.postprocessing.spatial_prior import (
    UsualPosition,
    annotated_position,
    find_components,
    keep_likely,
    places_from_json,
    places_to_json,
    remove_unlikely,
    usual_position,
)

GRID = Geometry((60, 50, 11), (2.0, 2.0, 8.0))
HEART = (1, 2)


def labels_with(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Label 1 in boxes of 5 slices around slice 5: (row, column, half their size, value)."""
    labels = np.zeros(GRID.shape, np.int16)
    for row, column, half, value in boxes:
        labels[3:8, row - half : row + half + 1, column - half : column + half + 1] = value
    return labels


@pytest.fixture
def scans() -> list[np.ndarray]:
    """Twelve scans with the heart near row 30, column 20; in every second one something larger elsewhere."""
    random = np.random.default_rng(0)
    found = []
    for n in range(12):
        row, column = 30 + random.integers(-3, 4), 20 + random.integers(-3, 4)
        other = [(int(random.integers(10, 20)), int(random.integers(42, 50)), 8, 2)] if n % 2 else []
        found.append(labels_with((row, column, 5, 1), *other))
    return found


def test_components_are_found_with_their_share_and_position():
    labels = labels_with((30, 20, 5, 1), (10, 50, 3, 2))

    one, other = sorted(find_components(labels, HEART, GRID), key=lambda piece: -piece.share)

    assert one.share == pytest.approx(121 / (121 + 49))
    assert one.at == pytest.approx((0.5, (30 - 24.5) * 2, (20 - 29.5) * 2))
    assert other.at == pytest.approx((0.5, (10 - 24.5) * 2, (50 - 29.5) * 2))


def test_scans_agree_although_the_annotated_patient_lies_oddly(scans):
    drawn = annotated_position([(labels_with((36, 27, 5, 1)), GRID)], HEART)

    usual = usual_position([find_components(labels, HEART, GRID) for labels in scans], drawn)

    assert usual.center == pytest.approx((0.5, (30 - 24.5) * 2, (20 - 29.5) * 2), abs=4)
    assert all(width < 12 for width in usual.spread)


def test_the_likely_component_is_kept_where_the_largest_is_something_else(scans):
    drawn = annotated_position([(labels_with((33, 22, 5, 1)), GRID)], HEART)
    usual = usual_position([find_components(labels, HEART, GRID) for labels in scans], drawn)

    likely = [keep_likely(labels, [HEART, (1,), (2,)], {HEART: usual}, GRID) for labels in scans]

    assert all(np.array_equal(kept == 1, labels == 1) for kept, labels in zip(likely, scans, strict=True))
    assert not any((kept == 2).any() for kept in likely)
    assert sum((keep_largest(labels, [HEART]) == 1).any() for labels in scans) == 6


def test_scans_that_do_not_agree_have_no_usual_place():
    random = np.random.default_rng(1)
    places = [(int(random.integers(8, 42)), int(random.integers(8, 52)), 3, 1) for _ in range(30)]
    drawn = annotated_position([(labels_with((8, 8, 3, 1)), GRID)], HEART)

    assert usual_position([find_components(labels_with(p), HEART, GRID) for p in places], drawn) is None
    assert usual_position([[], []], drawn) is None
    assert annotated_position([(labels_with(), GRID)], HEART) is None


def test_without_a_place_the_largest_component_is_kept(scans):
    for labels in scans:
        assert np.array_equal(
            keep_likely(labels, [HEART, (1,)], {}, GRID), keep_largest(labels, [HEART, (1,)])
        )


@pytest.mark.parametrize("in_memory", [1000, 2**30])
def test_probabilities_of_unlikely_components_become_background(in_memory, monkeypatch):
    monkeypatch.setattr(place_module, "WAIT_IN_MEMORY", in_memory)
    labels = labels_with((30, 20, 5, 1), (12, 48, 8, 2))
    probabilities = np.stack([labels == n for n in range(3)]).astype(np.float16)
    place = UsualPosition((0.5, 11.0, -19.0), (0.1, 8.0, 8.0))

    slices = remove_unlikely(iter(probabilities.swapaxes(0, 1)), [HEART, (1,)], {HEART: place}, GRID)

    probabilities = np.stack([*slices], axis=1)
    assert np.array_equal(probabilities.argmax(0), labels_with((30, 20, 5, 1)))
    assert (probabilities.sum(0) == 1).all()


def test_places_keep_their_values_in_a_page():
    places = {
        HEART: UsualPosition((0.5, 1.0, -2.0), (0.1, 3.0, 4.0)),
        (1,): UsualPosition((0.4, 0.0, 0.0), (0.2, 5.0, 5.0)),
    }

    assert places_from_json(places_to_json(places)) == places
