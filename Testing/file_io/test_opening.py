"""A file that is not whole is noticed, also where SimpleITK would say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io import opening
from ContrastiveSegLib.file_io.opening import (
    check_intact,
    header_text,
    itk_warnings_off,
    open_header,
    open_image,
)


@pytest.fixture
def an_image() -> sitk.Image:
    return sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 999, (9, 20, 20)).astype(np.int16))


def write(folder: Path, image: sitk.Image, name: str) -> Path:
    sitk.WriteImage(image, str(folder / name), useCompression=True)
    return folder / name


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, an_image, monkeypatch, name):
    path = write(tmp_path, an_image, name)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(opening, "refuse_impossible", refuse)

    for read in (open_header, check_intact):
        with pytest.raises(BadFile, match=rf"{name} cannot be opened: Permission denied"):
            read(path)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.seg.nrrd", "a.mha"])
def test_a_whole_file_is_opened(tmp_path, an_image, name):
    path = write(tmp_path, an_image, name)

    opened = open_image(path)

    np.testing.assert_array_equal(sitk.GetArrayFromImage(opened), sitk.GetArrayFromImage(an_image))
    assert open_header(path).GetSize() == (20, 20, 9)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.seg.nrrd", "a.mha"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98])
def test_a_file_that_was_cut_off_is_refused(tmp_path, an_image, name, kept):
    path = write(tmp_path, an_image, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(
        BadFile, match=rf"{path} .*(cut off|damaged|cannot be read).* Copy or export the file again"
    ):
        open_image(path)


def test_a_cut_file_says_how_much_is_missing(tmp_path, an_image):
    path = write(tmp_path, an_image, "a.nii")
    content = path.read_bytes()
    path.write_bytes(content[:-100])

    with pytest.raises(
        BadFile, match=f"holds {len(content) - 100} bytes where its header promises {len(content)}"
    ):
        check_intact(path)


def test_a_damaged_byte_in_a_compressed_file_is_noticed(tmp_path, an_image):
    path = write(tmp_path, an_image, "a.nii.gz")
    content = bytearray(path.read_bytes())
    content[-200] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(BadFile, match="cut off or damaged"):
        open_image(path)


def test_an_uncompressed_file_named_gz_is_opened(tmp_path, an_image):
    path = write(tmp_path, an_image, "a.nii").rename(tmp_path / "a.nii.gz")

    np.testing.assert_array_equal(sitk.GetArrayFromImage(open_image(path)), sitk.GetArrayFromImage(an_image))


@pytest.mark.parametrize("open_it", [open_image, open_header])
def test_missing_empty_and_foreign_files_are_told_apart(tmp_path, open_it):
    empty, foreign = tmp_path / "empty.nii.gz", tmp_path / "foreign.nrrd"
    empty.touch()
    foreign.write_text("not an image")

    with pytest.raises(BadFile, match=r"missing\.nrrd cannot be opened: No such file"):
        open_it(tmp_path / "missing.nrrd")
    with pytest.raises(BadFile, match=r"empty\.nii\.gz is empty: it has zero bytes"):
        open_it(empty)
    with pytest.raises(BadFile, match=r"foreign\.nrrd has a damaged header: it does not begin as NRRD"):
        open_it(foreign)
    with pytest.raises(BadFile, match="is a folder, not an image file"):
        open_it(tmp_path)


def test_sheared_axes_are_refused_with_a_way_out(tmp_path, an_image):
    path = write(tmp_path, an_image, "a.nii")
    content = bytearray(path.read_bytes())
    content[252:254] = (0).to_bytes(2, "little")  # qform_code: only the sform is left
    content[284:288] = np.float32(0.5).tobytes()  # srow_x[1]
    path.write_bytes(content)

    with pytest.raises(BadFile, match=r"has sheared axes.* Resample it onto a rectangular grid"):
        open_image(path)


def test_header_text_is_never_broken(tmp_path, an_image):
    an_image.SetMetaData("umlaut", " Größe ")
    path = write(tmp_path, an_image, "a.nrrd")
    header, voxels = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(header + b"\nlatin:=Gr\xf6\xdfe\n\n" + voxels)

    opened = open_image(path)

    assert header_text(opened, "umlaut") == "Größe"
    assert header_text(opened, "latin") == "Größe"
    assert header_text(opened, "not there") == ""


def test_warnings_are_off_only_inside():
    before = sitk.ProcessObject.GetGlobalWarningDisplay()

    with itk_warnings_off():
        inside = sitk.ProcessObject.GetGlobalWarningDisplay()

    assert inside is False
    assert sitk.ProcessObject.GetGlobalWarningDisplay() == before
