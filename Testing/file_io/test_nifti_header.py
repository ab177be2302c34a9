"""A NIfTI header that contradicts itself is noticed, and an ordinary one is left in peace."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_geometry, read_image, read_labels
from ContrastiveSegLib.file_io.nifti_header import contradictions, is_nifti, read_nifti_header
from ContrastiveSegLib.file_io.opening import open_image
from ContrastiveSegLib.imaging.volume import Geometry
from Testing.orientations import OBLIQUE

DIRECTIONS = {
    "plain": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "flipped": (1, 0, 0, 0, 1, 0, 0, 0, -1),
    "permuted": (0, 0, 1, 1, 0, 0, 0, 1, 0),
    "oblique": OBLIQUE,
    "oblique and flipped": (0.8, 0.0, -0.6, 0.0, 1.0, 0.0, -0.6, 0.0, -0.8),
}
CODES = {"qform": 252, "sform": 254}
SFORM_ROWS = 280


@pytest.fixture
def real_data() -> Path:
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("CONTRASTIVESEG_TEST_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CONTRASTIVESEG_TEST_DATA")
    return folder


def write(path: Path, *, direction: tuple[float, ...] = DIRECTIONS["plain"], dtype: type = np.int16) -> Path:
    image = sitk.GetImageFromArray(np.arange(120).reshape(4, 5, 6).astype(dtype))
    image.SetSpacing((0.7, 1.3, 5.0))
    image.SetOrigin((-12.5, 30.25, 7.0))
    image.SetDirection(direction)
    sitk.WriteImage(image, str(path))
    return path


def patch(path: Path, position: int, form: str, *values: float) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, position, *values)
    path.write_bytes(content)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS.keys())
@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 1), (0, 0)])
def test_an_ordinary_header_makes_no_note(tmp_path, direction, codes):
    path = write(tmp_path / "case.nii", direction=direction)
    patch(path, CODES["qform"], "<2h", *codes)

    assert contradictions(path, Geometry.of(open_image(path))) == ()


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS.keys())
def test_qform_and_sform_become_the_matrices_that_simpleitk_uses(tmp_path, direction):
    path = write(tmp_path / "case.nii", direction=direction)

    header = read_nifti_header(path)

    geometry = Geometry.of(sitk.ReadImage(str(path)))
    for index in np.ndindex(2, 2, 2):
        lps = geometry.index_to_physical(index)
        for matrix in (header.qform, header.sform):
            np.testing.assert_allclose((matrix @ [*index, 1])[:3] * (-1, -1, 1), lps, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "dtype", "float_type"), [("a.nii", np.int16, ""), ("a.nii.gz", np.float32, "<f4")]
)
def test_the_header_says_how_long_the_file_must_be(tmp_path, name, dtype, float_type):
    header = read_nifti_header(write(tmp_path / name, dtype=dtype))

    assert header.size == (6, 5, 4)
    assert header.data_end - header.data_start == 120 * np.dtype(dtype).itemsize
    assert header.float_type == float_type


def test_two_spacings_in_one_header_are_both_named(tmp_path):
    path = write(tmp_path / "case.nii")
    patch(path, SFORM_ROWS, "<12f", -1, 0, 0, 12.5, 0, -1, 0, -30.25, 0, 0, 1, 7)
    patch(path, CODES["qform"], "<h", 0)

    read = read_image([path])

    assert read.notes == (
        "case.nii: the header contradicts itself: voxels of 0.7 x 1.3 x 5 mm by pixdim, of 1 x 1 x 1 mm by "
        "sform. The spacing of pixdim is used; if it is wrong, every distance and volume in mm is wrong.",
    )
    np.testing.assert_allclose(read.volume.geometry.spacing, (0.7, 1.3, 5.0), rtol=1e-6)


def test_an_sform_that_is_not_used_cannot_contradict(tmp_path):
    path = write(tmp_path / "case.nii")
    patch(path, SFORM_ROWS, "<12f", -1, 0, 0, 12.5, 0, -1, 0, -30.25, 0, 0, 1, 7)
    patch(path, CODES["sform"], "<h", 0)

    assert read_image([path]).notes == ()


@pytest.mark.parametrize(("sform_code", "used", "z"), [(1, "sform", 47.0), (2, "qform", 7.0)])
def test_two_places_in_one_header_are_noted_with_the_one_that_is_used(tmp_path, sform_code, used, z):
    path = write(tmp_path / "case.nii")
    patch(path, CODES["sform"], "<h", sform_code)
    patch(path, SFORM_ROWS + 44, "<f", 47.0)

    read = read_image([path])

    assert read.notes == (
        f"case.nii: qform and sform of the header place the image up to 40.0 mm apart; {used} is used.",
    )
    assert read.volume.geometry.origin[2] == z


def test_a_negative_number_of_slices_is_not_one_slice(tmp_path):
    path = write(tmp_path / "case.nii")
    patch(path, 46, "<h", -4)

    with pytest.raises(BadFile, match="damaged header: it has 6 x 5 x -4 voxels"):
        read_image([path])


@pytest.mark.parametrize("bits", [0, 1, 8])
def test_a_short_file_is_short_whatever_its_header_says_of_the_bits_of_a_voxel(tmp_path, bits):
    path = write(tmp_path / "case.nii")
    patch(path, 72, "<h", bits)
    path.write_bytes(path.read_bytes()[:-60])

    with pytest.raises(BadFile, match="it holds 532 bytes where its header promises 592"):
        read_image([path])


@pytest.mark.parametrize("offset", [float("nan"), float("inf")])
def test_voxels_that_begin_nowhere_are_refused(tmp_path, offset):
    path = write(tmp_path / "case.nii")
    patch(path, 108, "<f", offset)

    with pytest.raises(BadFile, match=f"damaged header: its voxels begin at byte {offset}"):
        read_geometry([path])


def test_files_that_are_not_nifti_have_nothing_to_say(tmp_path):
    path = tmp_path / "case.nrrd"
    sitk.WriteImage(sitk.Image((4, 4, 4), sitk.sitkInt16), str(path))

    assert not is_nifti(path)
    assert contradictions(path, Geometry((4, 4, 4))) == ()
    assert read_nifti_header(path) is None


def test_the_conflicting_real_header_is_noticed_for_image_and_label(real_data):
    paths = sorted((real_data / "header_conflict").glob("*.nii.gz"))
    labels = [path for path in paths if "_gt" in path.name]
    images = [path for path in paths if path not in labels]

    notes = [*(read_image([path]).notes for path in images), *(read_labels(path).notes for path in labels)]

    assert len(notes) == len(paths) >= 2
    for note in notes:
        assert len(note) == 1
        assert "1.5625 x 1.5625 x 10 mm by pixdim" in note[0]
        assert "1 x 1 x 1 mm by sform" in note[0]
    assert read_geometry(images).spacing == (1.5625, 1.5625, 10.0)


@pytest.mark.parametrize("folder", ["acdc/images", "acdc/labels", "hippocampus/images"])
def test_ordinary_real_headers_make_no_note(real_data, folder):
    paths = sorted((real_data / folder).glob("*.nii.gz"))[:20]

    assert paths
    for path in paths:
        assert contradictions(path, read_geometry([path])) == ()
