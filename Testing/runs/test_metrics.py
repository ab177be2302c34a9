"""How good the kept weights are, read from metrics.csv."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.runs.metrics import best_dice


@pytest.fixture
def a_table(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "metrics.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_best_mean_counts_not_the_last(a_table) -> None:
    path = a_table("step,liver,kidneys\n10,0.5,0.3\n20,0.9,0.7\n30,0.95,0.5\n")

    assert best_dice(path) == {"liver": 0.9, "kidneys": 0.7}


def test_of_two_alike_the_later_counts(a_table) -> None:
    assert best_dice(a_table("step,a,b\n10,0.6,0.4\n20,0.4,0.6\n")) == {"a": 0.4, "b": 0.6}


def test_structures_that_no_patient_has_are_left_out(a_table) -> None:
    assert best_dice(a_table("step,a,b\n10,0.6,nan\n20,nan,nan\n")) == {"a": 0.6}


@pytest.mark.parametrize("text", ["", "step,a\n", "step,a\n10,oops\n", "\0\0"])
def test_without_numbers_nothing_is_claimed(a_table, text: str) -> None:
    assert best_dice(a_table(text)) == {}


def test_without_the_file_nothing_is_claimed(tmp_path: Path) -> None:
    assert best_dice(tmp_path / "metrics.csv") == {}
