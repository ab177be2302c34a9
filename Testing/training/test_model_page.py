"""What the page of a model says of the expected Dice is checked like all the rest of it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.postprocessing.expected_dice import Expectation
from ContrastiveSegLib.preprocessing.resampling import Intensities
from ContrastiveSegLib.training.model_page import understood


@pytest.fixture
def a_page() -> dict:
    return {
        "grid": asdict(WorkingGrid("axial", 4.0, 0.0, (16, 16))),
        "intensities": asdict(Intensities()),
        "labels": LabelTable((Structure(1, "liver", (0.1, 0.2, 0.3)),)).to_json(),
        "arguments": {"classes": 2, "spatial_dims": 2},
        "single_pieces": [[1]],
        "mirrored": False,
    }


def test_the_expected_dice_comes_back_from_a_page_and_may_be_missing(a_page):
    learned = Expectation((1,), (0.5, 0.9), (0.25, 0.75), 5)

    assert understood(a_page).expectation == Expectation()
    assert understood(a_page | {"expected_dice": learned.to_json()}).expectation == learned


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"dice": [0.5], "certainty": []}, "1 expected Dice for 0 certainties"),
        ({"dice": [1.5], "certainty": [0.5]}, "1.5"),
        ({"cases": "many"}, "cases"),
    ],
)
def test_what_cannot_be_is_refused(a_page, damage, words):
    with pytest.raises(BadSetting, match=words):
        understood(a_page | {"expected_dice": damage})
