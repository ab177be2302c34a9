"""What a model card says of the expected Dice is checked like all the rest of it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.postprocessing.expected_dice import Expectation
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.training.model_card import checked_card


@pytest.fixture
def a_card() -> dict:
    return {
        "grid": asdict(WorkingGrid("axial", 4.0, 0.0, (16, 16))),
        "intensities": asdict(Intensities()),
        "labels": LabelTable((Structure(1, "liver", (0.1, 0.2, 0.3)),)).to_json(),
        "arguments": {"classes": 2, "spatial_dims": 2},
        "single_components": [[1]],
        "mirrored": False,
    }


def test_the_expected_dice_comes_back_from_a_page_and_may_be_missing(a_card):
    learned = Expectation((1,), (0.5, 0.9), (0.25, 0.75), 5)

    assert checked_card(a_card).expectation == Expectation()
    assert checked_card(a_card | {"expected_dice": learned.to_json()}).expectation == learned


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"dice": [0.5], "certainty": []}, "1 expected Dice for 0 certainties"),
        ({"dice": [1.5], "certainty": [0.5]}, "1.5"),
        ({"cases": "many"}, "cases"),
    ],
)
def test_what_cannot_be_is_refused(a_card, damage, words):
    with pytest.raises(BadSetting, match=words):
        checked_card(a_card | {"expected_dice": damage})


def test_a_card_of_version_0_1_is_read(a_card):
    old = {"single_pieces" if name == "single_components" else name: value for name, value in a_card.items()}

    assert "single_components" not in old
    assert checked_card(old).single_components == ((1,),)
