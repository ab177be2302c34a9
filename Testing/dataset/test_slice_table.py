"""Tables about slices are read as spreadsheets of all countries write them."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.dataset.slice_table import read_annotated_slices


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_may_be_parted_by_commas_semicolons_and_tabs(tmp_path, mark):
    rows = [("remark", "case", "slice"), ("a, b; c", "case_1", "3"), ("", "case_1", "1")]
    text = "\n".join(mark.join(f'"{cell}"' if cell else "" for cell in row) for row in rows)
    table = tmp_path / "slices.csv"
    table.write_text(text + "\n", encoding="utf-8-sig")

    assert read_annotated_slices(table) == {"case_1": (1, 3)}
