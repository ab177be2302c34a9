"""Reasons say in words what the numbers say."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.active_learning.reasons import reason
from ContrastiveSegLib.active_learning.representatives import Pick

PICK = Pick(index=3, score=0.7, share=0.18)


@pytest.mark.parametrize(
    ("kind", "strategy", "novelty", "doubt", "expected"),
    [
        ("slice", "typicality", None, None, "typical of 18 % of all slices"),
        ("case", "k_center", None, None, "18 % of all cases resemble it most"),
        ("slice", "coverage", None, None, "18 % of all slices resemble it most"),
        ("slice", "typicality", 0.9, None, "typical of 18 % of all slices; not like any annotated one"),
        (
            "slice",
            "typicality",
            0.1,
            None,
            "typical of 18 % of all slices; like the annotated slice of knee1",
        ),
        ("case", "typicality", 0.1, None, "typical of 18 % of all cases; like the annotated case knee1"),
        ("case", "typicality", 0.5, None, "typical of 18 % of all cases; somewhat like knee1"),
        (
            "case",
            "typicality",
            None,
            0.93,
            "typical of 18 % of all cases; the model is less sure here than in 93 % of all cases",
        ),
        (
            "slice",
            "typicality",
            None,
            0.2,
            "typical of 18 % of all slices; the model is surer here than in 80 % of all slices",
        ),
    ],
)
def test_the_reason_in_words(kind, strategy, novelty, doubt, expected):
    assert reason(kind, PICK, strategy=strategy, novelty=novelty, nearest="knee1", doubt=doubt) == expected


def test_a_small_share_keeps_a_digit():
    words = reason("slice", Pick(0, 1.0, 0.004), strategy="typicality", novelty=None, nearest="", doubt=None)

    assert words == "typical of 0.4 % of all slices"
