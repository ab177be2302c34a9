"""What Slicer saves as a sequence is time, and no image of several channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_geometry, read_image

ARRAY = np.random.default_rng(0).integers(0, 900, (6, 8, 10, 4)).astype(np.int16)


def write(path: Path, *, kind: str = "list", label: str = "frame", frames: int = 4) -> Path:
    header = (
        "NRRD0005\ntype: short\ndimension: 4\nspace: left-posterior-superior\n"
        f"sizes: {frames} 10 8 6\nspace directions: none (0.7,0,0) (0,0.8,0) (0,0,3)\n"
        f'kinds: {kind} domain domain domain\nlabels: "{label}" "" "" ""\n'
        "endian: little\nencoding: raw\nspace origin: (0,0,0)\naxis 0 index type:=numeric\n\n"
    )
    path.write_bytes(header.encode() + np.ascontiguousarray(ARRAY[..., :frames]).tobytes())
    return path


@pytest.mark.parametrize(
    ("name", "kind", "label"),
    [("cine.seq.nrrd", "list", "frame"), ("cine.nrrd", "list", "frame"), ("cine.SEQ.NRRD", "vector", "")],
)
def test_a_sequence_is_refused_like_a_time_series(tmp_path, name, kind, label):
    path = write(tmp_path / name, kind=kind, label=label)

    for read in (read_image, read_geometry):
        with pytest.raises(BadFile, match="is a sequence of 4 volumes: it is a time series"):
            read([path])


def test_channels_stay_channels(tmp_path):
    path = write(tmp_path / "rgb.nrrd", kind="vector", label="")

    np.testing.assert_array_equal(read_image([path]).volume.array, np.moveaxis(ARRAY, -1, 0))


def test_a_sequence_of_one_volume_is_that_volume(tmp_path):
    path = write(tmp_path / "one.seq.nrrd", frames=1)

    np.testing.assert_array_equal(read_image([path]).volume.array[0], ARRAY[..., 0])


@pytest.mark.parametrize("kinds", ["domain domain time", "time space space"])
def test_an_axis_of_time_is_no_axis_of_a_volume(tmp_path, kinds):
    header = f"NRRD0005\ntype: short\ndimension: 3\nsizes: 10 8 6\nspacings: 1 1 1\nkinds: {kinds}\n"
    path = tmp_path / "cine.nrrd"
    path.write_bytes(f"{header}endian: little\nencoding: raw\n\n".encode() + ARRAY[..., 0].tobytes())

    for read in (read_image, read_geometry):
        with pytest.raises(BadFile, match=r"cine\.nrrd has an axis of time"):
            read([path])
