"""What crosses the border between two processes comes out as it went in, and nothing else comes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.file_io.label_meanings import ReadLabels
from ContrastiveSegLib.file_io.serialization import pack, unpack
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume


def carried(value: object) -> object:
    arrays: list[np.ndarray] = []
    text = json.dumps(pack(value, arrays))
    return unpack(json.loads(text), arrays)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, float("inf"), "Größe \udcff\n", Path("a/b \udcff"), (), (1, (2, "x")), [1, [2]],
        {"a": 1, 3: (4,)}, {"path": "x"}, Geometry((1, 2, 3), (0.1, 0.2, 0.3)),
        LabelTable((Structure(1, "liver", (1.0, 0.0, 0.5), "SCT~1"),)),
    ],
    ids=repr,
)  # fmt: skip
def test_values_come_out_as_they_went_in(value: object) -> None:
    assert carried(value) == value
    assert type(carried(value)) is type(value)


def test_arrays_travel_beside_the_text() -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)[:, ::-1]
    read = ReadLabels(Volume(array, Geometry((4, 3, 2))), LabelTable(()), ("note",), array > 5)

    found = carried(read)

    np.testing.assert_array_equal(found.volume.array, array)
    np.testing.assert_array_equal(found.background, array > 5)
    assert (found.volume.geometry, found.table, found.notes) == (read.volume.geometry, read.table, ("note",))


def test_what_nobody_expected_does_not_leave() -> None:
    with pytest.raises(TypeError, match="object cannot leave its process"):
        pack(object(), [])


@pytest.mark.parametrize(
    "name", ["os:system", "ContrastiveSegLib.errors:BadFile", "ContrastiveSegLib.file_io.files:read_image"]
)
def test_only_dataclasses_of_these_packages_are_built(name: str) -> None:
    with pytest.raises(ValueError, match=r"is (not of these packages|no dataclass)"):
        unpack({"class": name, "fields": {}}, [])
