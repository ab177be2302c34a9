"""Everything that an image is read from is known, so that whoever keeps results notices a change of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.file_io.source_files import source_files
from ContrastiveSegLib.postprocessing.existing_results import image_identity
from ContrastiveSegLib.preprocessing.array_store import stem_of

VOXELS = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


@pytest.mark.parametrize(("name", "beside"), [("a.mhd", "a.raw"), ("a.nhdr", "a.raw"), ("a.mha", None)])
def test_the_voxels_beside_a_header_belong_to_an_image(tmp_path: Path, name: str, beside: str | None) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / name))

    assert [file.name for file in source_files(tmp_path / name)] == [name, *([beside] if beside else [])]


def test_other_voxels_beside_the_same_header_are_another_image(tmp_path: Path) -> None:
    path = tmp_path / "a.mhd"
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(path))
    case = Case("a", (path,))
    before = (image_identity(case), stem_of(case, case.images))
    header = path.read_bytes()

    (tmp_path / "a.raw").write_bytes((VOXELS + 1).tobytes())
    os.utime(tmp_path / "a.raw", (1, 1))

    assert path.read_bytes() == header
    assert image_identity(case) != before[0]
    assert stem_of(case, case.images) != before[1]


def test_a_slice_that_is_written_over_makes_another_series(tmp_path: Path) -> None:
    for name in ("1.dcm", "2.dcm", "labels.seg.nrrd", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    case = Case("a", (tmp_path,))
    before = stem_of(case, case.images)

    (tmp_path / "labels.seg.nrrd").write_bytes(b"a new one")
    assert stem_of(case, case.images) == before

    (tmp_path / "2.dcm").write_bytes(b"y")
    os.utime(tmp_path / "2.dcm", (1, 1))
    assert stem_of(case, case.images) != before
    assert stem_of(Case("a", (tmp_path / "1.dcm",)), [tmp_path / "1.dcm"]) != before


def test_a_damaged_header_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "a.nhdr").write_text("NRRD0004\ndata file: missing.raw\n")

    assert source_files(tmp_path / "a.nhdr") == (tmp_path / "a.nhdr",)
