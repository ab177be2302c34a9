"""What a closed line of painted background leaves outside is background, if the user says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.volumes.annotations import (
    Marks,
    complete,
    read_marks,
)
from ContrastiveSegLib.volumes.cases import find_cases
from ContrastiveSegLib.volumes.files import read_geometry, read_labels
from ContrastiveSegLib.volumes.labels import LabelTable, Structure
from ContrastiveSegLib.volumes.prepared import collect_table
from ContrastiveSegLib.volumes.volume import Geometry, Volume

DATA = Path(os.environ.get("CONTRASTIVESEG_TEST_DATA", "../shared/data"))
SHAPE = (6, 8, 10)
GEOMETRY = Geometry((10, 8, 6), (1.0, 1.0, 4.0))
TABLE = LabelTable((Structure(5, "liver", (1.0, 0.0, 0.0)), Structure(2, "spleen", (0.0, 1.0, 0.0))))
WITH_BACKGROUND = LabelTable((*TABLE.structures, Structure(9, "Background", (0.0, 0.0, 1.0))))


@pytest.fixture
def nothing() -> np.ndarray:
    return np.zeros(SHAPE, np.int16)


def marks(array: np.ndarray, *, axis: int = 0, are_scribbles: bool = False) -> Marks:
    return Marks(Volume(array.astype(np.int16), GEOMETRY), axis, are_scribbles, ())


def test_outside_of_a_closed_line_of_background_is_background_if_asked(nothing):
    nothing[2, 1:5, 1:5] = 1
    nothing[2, 2:4, 2:4] = 0
    nothing[2, 2, 2] = 2
    nothing[3] = nothing[2]
    nothing[3, 1, 2] = 0  # an open line: the structure can be reached from the border
    nothing[4, 1] = 1  # a line alone outlines nothing

    known, _ = complete(marks(nothing), "scribbles", outlined=True)
    closed = np.ones_like(nothing[2])
    closed[2:4, 2:4] = [[2, 0], [0, 0]]

    np.testing.assert_array_equal(known.array[2], closed)
    np.testing.assert_array_equal(known.array[3:], nothing[3:])
    np.testing.assert_array_equal(complete(marks(nothing), "scribbles")[0].array, nothing)


@pytest.mark.skipif(not (DATA / "acdc").is_dir(), reason=f"no data in {DATA}")
@pytest.mark.parametrize("name", ["patient001_frame01", "patient073_frame10"])
def test_what_people_outlined_leaves_no_structure_outside(name):
    case = next(c for c in find_cases(DATA / "acdc").cases if c.name == name)
    table = collect_table([case], annotation="scribbles")
    drawn = read_marks(case.scribbles, case, table, read_geometry(case.images), plane="auto")
    before, _ = complete(drawn, "scribbles")
    known, _ = complete(drawn, "scribbles", outlined=True)

    filled = (known.array == 1) & (before.array == 0)
    assert filled.mean() > 0.2  # of the volume; not every line closes
    assert not read_labels(case.labels, None).volume.array[filled].any()
