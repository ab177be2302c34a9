"""The table of what became of every case keeps the rows of cases that a job was not asked about."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ContrastiveSegLib.dataset.cases import Case, LeftOut
from ContrastiveSegLib.training.case_results import read_expected, write_case_results

A, B = Case("a", (Path("a.nii"),)), Case("b", (Path("b.nii"),))


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))[1:]


def test_rows_of_other_cases_stay_and_the_worst_come_first(tmp_path: Path) -> None:
    table = tmp_path / "predict_cases.csv"
    write_case_results(table, [A, B], ["", ""], expected=[0.5, 0.7])

    others = [LeftOut(Path("a.nii"), "not among the cases of the setting 'only'", by_choice=True)]
    write_case_results(table, [B], [""], others, expected=[0.4])

    assert _rows(table) == [["b", "b.nii", "done", "", "0.4000"], ["a", "a.nii", "done", "", "0.5000"]]


def test_a_table_about_all_cases_is_written_anew(tmp_path: Path) -> None:
    table = tmp_path / "suggest_cases.csv"
    write_case_results(table, [A], [""])

    write_case_results(table, [B], ["too dark"], others_stay=False)

    assert _rows(table) == [["b", "b.nii", "left out", "too dark"]]


@pytest.mark.parametrize("content", [b"\xff\xfe\0broken", b'case,image\n"' + b"x" * 200_000, b"", b"a\n\n\n"])
def test_a_damaged_table_is_written_anew(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "predict_cases.csv"
    table.write_bytes(content)

    write_case_results(table, [A], [""], expected=[0.5])

    assert read_expected(table) == {"a": 0.5}
    assert len(_rows(table)) == 1
