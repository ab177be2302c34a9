"""A CT is known by its values; one that does not look like it is understood, and what was done is said."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.hounsfield import gray_notes, modality_of, reading_of_ct
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.resampling import prepare

GEOMETRY = Geometry((30, 30, 8))
GRID = WorkingGrid("axial", 1.0, 0.0, (32, 32))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1024, 0, 55, 1300], "ct"),
        ([-1000, -500, 3071], "ct"),
        ([0, 55, 1300], "other"),
        ([-1024.5, 0, 1300], "other"),
        ([-400, 0, 1300], "other"),
        ([-1024, 0, 60000], "other"),
        ([-9216, -8192, -7292], "other"),
    ],
)
def test_hounsfield_units_are_recognized(values, expected):
    assert modality_of(np.array(values, np.float32)) == expected


@pytest.fixture
def a_ct() -> np.ndarray:
    """(1, K, H, W) air around soft tissue, with some bone and contrast."""
    generator = np.random.default_rng(3)
    values = np.full(GEOMETRY.shape, -1000.0)
    values[:, 5:25, 5:25] = generator.normal(40, 15, (8, 20, 20))
    values[:, 8:12, 8:12], values[:, 20:23, 10:14] = 180, 900
    return np.round(values)[None].astype(np.float32)


def working(values: np.ndarray, modality: str = "ct") -> np.ndarray:
    geometry = Geometry((values.shape[3], values.shape[2], values.shape[1]))
    return np.asarray(prepare(Volume(values, geometry), GRID, Intensities(modality))[0].array, np.float32)


CHANGED = {
    "clamped": lambda ct: np.maximum(ct, -400),
    "resampled": lambda ct: ct + 0.3,
    "shifted": lambda ct: ct + 1024,
    "shifted and cut at zero": lambda ct: np.maximum(ct + 1024, 0),
    "without fractions of air": lambda ct: np.where(ct < -500, -200, ct),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_changed_ct_is_scaled_like_the_original(a_ct, change):
    changed = CHANGED[change](a_ct).astype(np.float32)

    assert modality_of(changed) == "other"
    np.testing.assert_allclose(working(changed), working(a_ct), atol=2e-3)
    (note,) = gray_notes(changed, "ct")
    assert ("1024, which was taken off" in note) == ("shifted" in change)


@pytest.mark.parametrize("shift", [0, 1024])
def test_a_ct_cropped_to_the_body_shows_no_air_and_is_scaled_like_the_original(a_ct, shift):
    inside = (slice(None), slice(None), slice(6, 24), slice(6, 24))

    assert np.allclose(working(a_ct[inside] + shift), working(a_ct)[inside], atol=2e-3)
    assert len(gray_notes(a_ct[inside] + shift, "ct")) == 1


def test_an_ordinary_ct_needs_no_words(a_ct):
    assert gray_notes(a_ct, "ct") == gray_notes(a_ct, "auto") == ()
    assert reading_of_ct(a_ct).shift == 0


@pytest.mark.parametrize(
    "scale", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0), (-9216.0, -7292.0), (31_768.0, 33_668.0)]
)
def test_values_that_are_no_hounsfield_units_are_scaled_by_themselves_and_that_is_said(a_ct, scale):
    low, high = scale
    pictured = (low + (high - low) * np.clip((a_ct + 200) / 500, 0, 1)).astype(np.float32)

    (note,) = gray_notes(pictured, "ct")

    assert "are no Hounsfield units" in note
    assert np.ptp(working(pictured)) == 1


def test_a_ct_where_other_images_were_learned_from_is_said(a_ct):
    assert "it looks like a CT" in gray_notes(a_ct, "other")[0]
