"""A NRRD header that ITK's reader would trust and die of is refused before, and a sound one is not."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.nrrd_header import screen
from ContrastiveSegLib.file_io.opening import open_image

FIELDS = {
    "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "4 3 2",
    "space directions": "(1,0,0) (0,2,0) (0,0,3)", "kinds": "domain domain domain", "endian": "little",
    "encoding": "raw", "space origin": "(0,0,0)",
}  # fmt: skip
VOXELS = np.arange(24, dtype="<i2").tobytes()


def write(path: Path, voxels: bytes = VOXELS, **changes: str | None) -> Path:
    """A header with some fields changed, or left out; underscores stand for blanks."""
    given = FIELDS | {name.replace("_", " "): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    path.write_bytes("\n".join(["NRRD0004", "# by hand", *lines, "note:=a:b", "", ""]).encode() + voxels)
    return path


def test_a_sound_header_promises_what_itk_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nrrd")

    assert screen(path).voxels == 24
    assert screen(path).bytes == 48
    np.testing.assert_array_equal(sitk.GetArrayFromImage(open_image(path)).ravel(), np.arange(24))


@pytest.mark.parametrize(
    ("encoding", "voxels"),
    [
        ("gzip", gzip.compress(VOXELS, mtime=0)),
        ("text", b" ".join(b"%d" % n for n in range(24))),
        ("hex", VOXELS.hex().encode()),
    ],
)
def test_every_encoding_that_itk_reads_is_let_through(tmp_path: Path, encoding: str, voxels: bytes) -> None:
    path = write(tmp_path / "a.nrrd", voxels, encoding=encoding)

    assert sitk.GetArrayFromImage(open_image(path)).ravel().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kinds": "domain " * 150}, "'kinds' lists 150 values, expected 3"),
        ({"dimension": "17"}, "'dimension' is '17', not a number from 1 to 7"),
        ({"dimension": "-1"}, "'dimension' is '-1'"),
        ({"dimension": "3e0"}, "'dimension' is '3e0', not a whole number"),
        ({"dimension": None}, "'dimension' is missing"),
        ({"sizes": "4 3"}, "'sizes' lists 2 values, expected 3"),
        ({"sizes": "4 3 0"}, "'sizes' is '0'"),
        ({"sizes": "4 3 9223372036854775808"}, "'sizes' is '9223372036854775808'"),
        ({"sizes": "4 3 " + "9" * 5000}, "'sizes' is '9999"),
        ({"sizes": "40000 40000 40000"}, "it holds 48 bytes where its header promises 128000000000000 bytes"),
        ({"sizes": "40000 40000 40000", "encoding": "gzip"}, "it holds 48 compressed bytes where"),
        ({"encoding": "zstd"}, "'encoding' is 'zstd'"),
        ({"type": "block"}, "'type' is 'block'"),
        ({"spacings": "1 " * 99}, "'spacings' lists 99 values"),
        ({"thicknesses": "1"}, "'thicknesses' lists 1 values"),
        ({"units": '"mm"'}, "'units' lists 1 values"),
        ({"space": "martian"}, "'space' is 'martian'"),
        ({"space_dimension": "99"}, "'space dimension' is '99'"),
        ({"space_directions": "(1,0,0) (0,2,0)"}, "'space directions' lists 2 values, expected 3"),
        ({"space_directions": "(1,0,0) (0,2,0) (0,0,3,4)"}, "'space directions' lists 4 values, expected 3"),
        ({"space_origin": "(0,0,0) (0,0,0)"}, "'space origin' lists 2 values, expected 1"),
        ({"space": None, "space_directions": None, "space_origin": None, "spacings": "1 1 nan"},
         "'spacings' gives a size for 2 axes only"),
        ({"space": None, "space_directions": None, "space_origin": None, "spacings": "1,5 1,5 5"},
         "'spacings' is '1,5', not a number"),
        ({"space_directions": "none none none"}, "'space directions' gives a size for 0 axes only"),
        ({"space_directions": "(1,0,0) (0,inf,0) (0,0,3)"}, "'space directions' is 'inf', not a number"),
        ({"space_origin": "(nan,nan,nan)"}, "'space origin' is 'nan', not a number"),
        ({"measurement_frame": "(1,0,0)"}, "'measurement frame' lists 1 values, expected 3"),
        ({"data_file": "missing.raw"}, "the file 'missing.raw' with its voxels is not there"),
        ({"data_file": "../"}, "with its voxels is not there"),
        ({"data_file": "/dev/zero"}, "the file 'zero' with its voxels is not there"),
        ({"data_file": "%s%s%s%s 1 2 1"}, "'data file' is '%s%s%s%s 1 2 1'"),
        ({"data_file": "x%d.raw 0 2147483647 1"}, "'data file' is 'x%d.raw 0"),
        ({"byte_skip": "x"}, "'byte skip' is 'x'"),
        ({"content": "x" * 20_000}, "the line 'content' is too long"),
        ({"SIZES": "4 3 2"}, "the line 'sizes' is there twice"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_true_is_refused(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    path = write(tmp_path / "a.nrrd", **changes)

    with pytest.raises(BadFile) as refused:
        open_image(path)
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"{path} ")
    assert len(str(refused.value)) < 500 + len(str(path))


def test_voxels_in_files_of_their_own_are_measured_there(tmp_path: Path) -> None:
    for n in range(2):
        (tmp_path / f"v{n}.raw").write_bytes(VOXELS[24 * n : 24 * n + 24])
    listed = write(tmp_path / "a.nhdr", b"", data_file="LIST\nv0.raw\nv1.raw", **{"note": None})
    pattern = write(tmp_path / "b.nhdr", b"", data_file="v%d.raw 0 1 1")
    short = write(tmp_path / "c.nhdr", b"", data_file="v0.raw")
    listed.write_text(listed.read_text().partition("\nnote")[0] + "\n")

    for path in (listed, pattern):
        assert sitk.GetArrayFromImage(open_image(path)).ravel().tolist() == list(range(24))
    with pytest.raises(
        BadFile, match=r"c\.nhdr is cut off or damaged: it holds 24 bytes where its header promises 48"
    ):
        screen(short)


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.seg.nrrd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_itk_writes_is_let_through(tmp_path: Path, name: str, compressed: bool) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(3, 4, 5, 2)), isVector=True)
    image.SetMetaData("Segment0_Tags", "x" * 50_000)
    sitk.WriteImage(image, str(tmp_path / name), useCompression=compressed)

    assert screen(tmp_path / name).voxels == 3 * 4 * 5 * 2
