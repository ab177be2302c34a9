"""DICOM elements that claim more than the file holds are found before GDCM makes room for them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import screen_dicom


def element(group: int, number: int, kind: str, value: bytes, *, length: int | None = None) -> bytes:
    count = len(value) if length is None else length
    if kind in ("OW", "OB", "SQ", "UN"):
        return struct.pack("<2H2s2xI", group, number, kind.encode(), count) + value
    return struct.pack("<2H2sH", group, number, kind.encode(), count) + value


def a_file(
    path: Path, *extra: bytes, rows: int = 4, frames: bytes = b"", pixels: bytes | None = None
) -> Path:
    """Explicit little endian, 4 x 5 pixels of two bytes; `pixels` stands instead of the last element."""
    meta = element(2, 0x10, "UI", b"1.2.840.10008.1.2.1\0")
    sizes = element(0x28, 0x10, "US", struct.pack("<H", rows)) + element(
        0x28, 0x11, "US", struct.pack("<H", 5)
    )
    body = element(8, 0x60, "CS", b"MR") + b"".join(extra)
    if frames:
        body += element(0x28, 8, "IS", frames)
    body += sizes + element(0x28, 0x100, "US", struct.pack("<H", 16))
    body += element(0x7FE0, 0x10, "OW", bytes(40)) if pixels is None else pixels
    path.write_bytes(bytes(128) + b"DICM" + meta + body)
    return path


def sequence(*items: bytes, length: int | None = None) -> bytes:
    inner = b"".join(struct.pack("<2HI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return element(8, 0x1140, "SQ", inner, length=length)


def test_the_sizes_of_a_sound_file_are_found_behind_sequences(tmp_path: Path) -> None:
    inner = element(0x28, 0x10, "US", struct.pack("<H", 999))  # rows of something else
    end = struct.pack("<2HI", 0xFFFE, 0xE0DD, 0)
    path = a_file(tmp_path / "a.dcm", sequence(inner, inner), sequence(inner, length=0xFFFFFFFF) + end)

    assert screen_dicom(path).voxels == 20
    assert screen_dicom(path).bytes == 40


@pytest.mark.parametrize(
    ("extra", "claims"),
    [
        (element(8, 0x90, "UN", b"", length=0x7FFFFFF0), "(0008,0090) claims 2147483632 bytes"),
        (element(8, 0x90, "PN", b"", length=60_000), "(0008,0090) claims 60000 bytes"),
        (sequence(element(8, 0x90, "OB", b"x", length=1 << 30)), "(0008,0090) claims 1073741824 bytes"),
        (sequence(b"", length=1 << 30), "(0008,1140) claims 1073741824 bytes"),
    ],
)
def test_a_length_beyond_the_end_of_the_file_is_refused(tmp_path: Path, extra: bytes, claims: str) -> None:
    path = a_file(tmp_path / "a.dcm", extra)

    with pytest.raises(BadFile) as refused:
        screen_dicom(path)
    assert claims in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "promised"),
    [
        ({"rows": 65535}, 655350),
        ({"frames": b"100000000 "}, 4_000_000_000),
        ({"rows": 65535, "pixels": element(0x7FE0, 0x10, "OB", bytes(40), length=0xFFFFFFFF)}, 655350),
    ],
)  # fmt: skip
def test_more_pixels_than_the_file_can_hold_are_refused(tmp_path: Path, changes: dict, promised: int) -> None:
    with pytest.raises(BadFile, match=f"where its header promises {promised} bytes of voxels"):
        screen_dicom(a_file(tmp_path / "a.dcm", **changes))


def test_sequences_without_end_are_refused_and_end(tmp_path: Path) -> None:
    deep = b"".join(
        element(8, 0x1140, "SQ", b"", length=0xFFFFFFFF) + struct.pack("<2HI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        for _ in range(5000)
    )

    with pytest.raises(BadFile, match="sequences lie too deep"):
        screen_dicom(a_file(tmp_path / "a.dcm", deep))


def test_what_is_no_dicom_is_not_certain(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.dcm", b"\x08\0\x70\0\1\2" + bytes(90))

    assert not screen_dicom(path).is_certain


def test_what_itk_writes_is_let_through(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.arange(600, dtype=np.int16).reshape(1, 20, 30))
    sitk.WriteImage(image, str(tmp_path / "a.dcm"))

    assert screen_dicom(tmp_path / "a.dcm").bytes == 1200


@pytest.mark.slow
def test_files_that_are_written_oddly_and_can_be_read_are_let_through() -> None:
    """Those that pydicom keeps for its own tests: big endian, implicit where explicit is said, colors ..."""
    pydicom = pytest.importorskip("pydicom")
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    readable = []
    for path in sorted(folder.glob("*.dcm")):
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            continue
        readable.append(path)
        screen_dicom(path)
    assert len(readable) > 40
