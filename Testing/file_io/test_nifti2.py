"""NIfTI-2 files hold the volume of NIfTI-1 files with the same fields, and are checked like these."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_geometry, read_image, read_labels
from ContrastiveSegLib.imaging.volume import Geometry


def nifti2(
    path: Path, source: Path, *, order: str = "<", spoil: dict | None = None, cut: int = 0, kind: str = "i2"
) -> Path:
    """The file of NIfTI-1 that ITK wrote, with the header of NIfTI-2.

    Args:
        spoil: Place in the header to kind and value, to write something else there.
        kind: Of the voxels.
    """
    raw = source.read_bytes()
    voxels = np.frombuffer(raw[352:], f"<{kind}").astype(f"{order}{kind}").tobytes()
    header = bytearray(540)
    fields = [(0, "i", (540,)), (4, "8s", (b"n+2\0\r\n\x1a\n",)), (168, "q", (544,))]
    copied = [
        (12, "2h", "2h", 70), (16, "8q", "8h", 40), (104, "8d", "8f", 76), (176, "2d", "2f", 112),
        (344, "2i", "2h", 252), (352, "6d", "6f", 256), (400, "12d", "12f", 280),
    ]  # fmt: skip
    fields += [(at, kind, struct.unpack_from(f"<{old}", raw, place)) for at, kind, old, place in copied]
    fields += [(500, "i", (raw[123],))]
    fields += [(at, code, (value,)) for at, (code, value) in (spoil or {}).items()]
    for at, code, values in fields:
        struct.pack_into(order + code, header, at, *values)
    content = bytes(header) + bytes(4) + voxels[: len(voxels) - cut]
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return path


@pytest.fixture
def a_file(tmp_path, a_volume) -> Path:
    """An oblique volume of int16 as NIfTI-1."""
    oblique = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
    image = sitk.GetImageFromArray(np.rint(900 * a_volume.array[0]).astype(np.int16))
    image.SetSpacing((1.25, 1.5, 3.0))
    image.SetOrigin((-12.0, 30.0, 7.0))
    image.SetDirection(oblique)
    sitk.WriteImage(image, str(tmp_path / "one.nii"))
    return tmp_path / "one.nii"


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float64])
def test_labels_that_nibabel_writes_keep_voxels_values_and_place(tmp_path, kind):
    nibabel = pytest.importorskip("nibabel")
    labels = np.random.default_rng(0).choice([0, 3, 40000], (6, 5, 4)).astype(kind)  # i, j, k
    ras = np.array([[0.0, -1.5, 0.0, 7.0], [2.0, 0.0, 0.0, -9.0], [0.0, 0.0, 3.0, 30.0], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti2Image(labels, ras), tmp_path / "label.nii.gz")

    read = read_labels(tmp_path / "label.nii.gz")

    np.testing.assert_array_equal(read.volume.array, labels.transpose(2, 1, 0))
    assert read.table.values == (3, 40000)
    place = ras @ [2, 3, 1, 1]
    np.testing.assert_allclose(
        read.volume.geometry.index_to_physical((2, 3, 1)), place[:3] * [-1, -1, 1], atol=1e-5
    )


@pytest.mark.parametrize("name", ["two.nii", "two.nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_volume_is_that_of_nifti_1(a_file, tmp_path, name, order):
    path = nifti2(tmp_path / name, a_file, order=order)

    one, two = read_image([a_file]), read_image([path])

    np.testing.assert_array_equal(two.volume.array, one.volume.array)
    assert isinstance(two.volume.geometry, Geometry)
    assert two.volume.geometry.matches(one.volume.geometry)
    assert read_geometry([path]).matches(one.volume.geometry)
    assert two.notes == one.notes == ()
    np.testing.assert_array_equal(read_labels(path).volume.array, read_labels(a_file).volume.array)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cut": 100}, "is cut off: it holds"),
        ({"spoil": {112: ("d", float("nan"))}}, "has voxels of nan"),
        ({"spoil": {24: ("q", -3)}}, "damaged header: it has -3"),
        ({"spoil": {24: ("q", 1 << 40)}}, "claims|promises|holds"),
        ({"spoil": {168: ("q", -5)}}, ""),
    ],
)
def test_damaged_files_are_refused_as_those_of_nifti_1(a_file, tmp_path, options, said):
    path = nifti2(tmp_path / "two.nii", a_file, **options)

    if said:
        with pytest.raises(BadFile, match=said):
            read_image([path])
    else:  # voxels cannot begin before the end of the header
        np.testing.assert_array_equal(read_image([path]).volume.array, read_image([a_file]).volume.array)
