"""An MHA header that ITK's reader would trust and die of is refused before, and a sound one is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.meta_header import screen
from ContrastiveSegLib.file_io.opening import open_image

FIELDS = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0", "ElementSpacing": "1 2 3", "DimSize": "4 3 2",
    "ElementType": "MET_SHORT", "ElementDataFile": "LOCAL",
}  # fmt: skip
VOXELS = np.arange(24, dtype="<i2").tobytes()


def write(path: Path, **changes: str | None) -> Path:
    """A header with some fields changed, or left out; the last one stays the last."""
    given = {**FIELDS, **changes}
    given["ElementDataFile"] = given.pop("ElementDataFile")
    lines = "".join(f"{name} = {value}\n" for name, value in given.items() if value is not None)
    path.write_bytes(lines.encode() + VOXELS)
    return path


def test_a_sound_header_promises_what_itk_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mha", Comment="a = b : c")

    assert screen(path).bytes == 48
    assert sitk.GetArrayFromImage(open_image(path)).ravel().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"NDims": "1e308"}, "'NDims' is '1e308', not a whole number"),
        ({"NDims": "999999"}, "'NDims' is '999999', not a number from 1 to 7"),
        ({"NDims": None}, "'NDims' is missing"),
        ({"DimSize": "4 3 2 " + "1 " * 300}, "'DimSize' lists 303 values, expected 3"),
        ({"DimSize": "4 3 -2"}, "'DimSize' is '-2'"),
        ({"DimSize": "4000 3000 2000"}, "it holds 48 bytes where its header promises 48000000000 bytes"),
        ({"TransformMatrix": "1 " * 999}, "'TransformMatrix' lists 999 values, expected 9"),
        ({"Offset": "0"}, "'Offset' lists 1 values, expected 3"),
        ({"Offset": "nan 0 0"}, "'Offset' is 'nan', not a number"),
        ({"Position": "1,5 2,5 3"}, "'Position' is '1,5', not a number"),
        ({"ElementSpacing": "1.5mm 1 1"}, "'ElementSpacing' is '1.5mm', not a number"),
        ({"TransformMatrix": "1e400 0 0 0 1 0 0 0 1"}, "'TransformMatrix' is '1e400', not a number"),
        ({"ElementSpacing": "1 1 1 1"}, "'ElementSpacing' lists 4 values, expected 3"),
        ({"Color": "1 " * 60}, "'Color' lists 60 values, expected 4"),
        ({"ElementType": "MET_STRING"}, "'ElementType' is 'MET_STRING'"),
        ({"ElementNumberOfChannels": "2147483647"}, "'ElementNumberOfChannels' is '2147483647'"),
        ({"HeaderSize": "99"}, "it holds 0 bytes where"),
        ({"CompressedData": "True", "CompressedDataSize": "1000"}, "where its header promises 1000 bytes"),
        ({"CompressedData": "True", "DimSize": "400 300 200"}, "it holds 48 compressed bytes where"),
        ({"BinaryData": "False", "DimSize": "40 30 20"}, "it holds 48 bytes where"),
        ({"Comment": "x" * 9000}, "the line 'Comment' is too long"),
        ({"x" * 300: "1"}, "is too long"),
        ({"ElementDataFile": "missing.raw"}, "the file 'missing.raw' with its voxels is not there"),
        ({"ElementDataFile": "/dev/zero"}, "the file 'zero' with its voxels is not there"),
        ({"ElementDataFile": "%n%n%n 1 2 1"}, "'ElementDataFile' is '%n%n%n 1 2 1'"),
        ({"ElementDataFile": None}, "'ElementDataFile' is missing"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_true_is_refused(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    path = write(tmp_path / "a.mha", **changes)
    if "ElementDataFile" in changes and changes["ElementDataFile"] is None:
        path.write_bytes(path.read_bytes()[: -len(VOXELS)])

    with pytest.raises(BadFile) as refused:
        open_image(path)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.int64])
def test_what_itk_writes_is_let_through(tmp_path: Path, name: str, compressed: bool, kind: type) -> None:
    image = sitk.GetImageFromArray(np.zeros((9, 40, 50, 2), kind), isVector=True)
    sitk.WriteImage(image, str(tmp_path / name), useCompression=compressed)

    assert screen(tmp_path / name).bytes == 9 * 40 * 50 * 2 * np.dtype(kind).itemsize
    assert open_image(tmp_path / name).GetSize() == (50, 40, 9)
