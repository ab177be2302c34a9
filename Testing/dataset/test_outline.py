"""What a closed line of painted background leaves outside is background, if the user says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.annotations import annotated_voxels, read_annotation_mask
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.dataset.outline import outside
from ContrastiveSegLib.file_io.files import read_geometry, read_labels
from ContrastiveSegLib.preprocessing.prepared_cache import collect_table

DATA = Path(os.environ.get("CONTRASTIVESEG_TEST_DATA", "../shared/data"))


def test_outside_is_what_no_structure_is_reached_from():
    marks = np.zeros((4, 8, 10), np.int16)
    marks[1, 1:5, 1:5] = 1
    marks[1, 2:4, 2:4] = [[2, 0], [0, 0]]
    marks[2] = marks[1]
    marks[2, 1, 2] = 0  # an open line: the structure can be reached from the border
    marks[3, 1] = 1  # a line alone outlines nothing

    expected = np.zeros_like(marks, bool)
    expected[1] = True
    expected[1, 1:5, 1:5] = False
    np.testing.assert_array_equal(outside(marks), expected)


@pytest.mark.skipif(not (DATA / "acdc").is_dir(), reason=f"no data in {DATA}")
@pytest.mark.parametrize("name", ["patient001_frame01", "patient073_frame10"])
def test_what_people_outlined_leaves_no_structure_outside(name):
    case = next(c for c in find_cases(DATA / "acdc").cases if c.name == name)
    table = collect_table([case], annotation="scribbles")
    drawn = read_annotation_mask(case.scribbles, case, table, read_geometry(case.images), plane="auto")
    before, _ = annotated_voxels(drawn, "scribbles")
    known, _ = annotated_voxels(drawn, "scribbles", outside_is_background=True)

    filled = (known.array == 1) & (before.array == 0)
    assert filled.mean() > 0.2  # of the volume; not every line closes
    assert not read_labels(case.labels, None).volume.array[filled].any()
