"""Files that cannot be what they should be are refused by name, with what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile, CannotWrite
from ContrastiveSegLib.file_io.files import (
    read_geometry,
    read_image,
    read_labels,
    write_labels,
)
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume

GRID = Geometry((4, 5, 6), (1.0, 2.0, 3.0), (9.0, 8.0, 7.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1))
TABLE = LabelTable((Structure(1, "liver", (1.0, 0.0, 0.0)), Structure(300, "tumor", (0.0, 1.0, 0.0))))


@pytest.fixture
def a_label_map() -> Volume:
    return Volume(np.random.default_rng(4).choice([0, 1, 300], GRID.shape).astype(np.int16), GRID)


def write_array(path: Path, array: np.ndarray) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["case.nii.gz", "case.nii", "case.nrrd", "case.mha"])
def test_voxels_that_are_not_finite_are_counted_and_refused(tmp_path, name, dtype, bad):
    array = np.random.default_rng(3).normal(size=GRID.shape).astype(dtype)
    array[2, 3, 1] = array[0, 0, 0] = bad
    path = write_array(tmp_path / name, array)

    with pytest.raises(BadFile, match=r"case\..* has 2 voxels that are not numbers .* Replace them"):
        read_image([path])


def test_labels_that_are_not_numbers_are_refused(tmp_path):
    array = np.zeros((4, 5, 6), np.float32)
    array[0, 0, 0] = np.nan

    for suffix, message in {".nii.gz": "1 voxels that are not numbers", ".nrrd": "1 fractional"}.items():
        with pytest.raises(BadFile, match=message):
            read_labels(write_array(tmp_path / f"case{suffix}", array))


def test_numbers_too_large_for_float32_are_refused_as_infinite(tmp_path):
    path = write_array(tmp_path / "case.nrrd", np.full((4, 5, 6), 1e300))

    with pytest.raises(BadFile, match="has 120 voxels that are not numbers"):
        read_image([path])


def test_a_constant_image_is_refused_and_a_constant_channel_noted(tmp_path):
    flat = write_array(tmp_path / "flat.nii.gz", np.full((4, 5, 6), 7, np.int16))
    varied = write_array(tmp_path / "varied.nii.gz", np.arange(120, dtype=np.int16).reshape(4, 5, 6))

    with pytest.raises(BadFile, match=r"flat\.nii\.gz is constant: every voxel has the value 7\."):
        read_image([flat])
    assert read_image([varied, flat]).notes == ("flat.nii.gz: this channel is constant.",)


def test_a_2d_image_is_refused(tmp_path):
    path = write_array(tmp_path / "x.nii.gz", np.arange(20, dtype=np.int16).reshape(4, 5))

    for read in (read_image, read_geometry):
        with pytest.raises(BadFile, match=r"x\.nii\.gz is a 2D image \(5 x 4\), not a volume\."):
            read([path])


def a_4d_file(path: Path) -> np.ndarray:
    array = np.arange(3 * 4 * 5 * 6, dtype=np.int16).reshape(3, 4, 5, 6)
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(volume) for volume in array]), str(path))
    return array


def test_a_4d_image_is_refused_unless_its_last_axis_is_known_to_be_channels(tmp_path):
    path = tmp_path / "cine.nii.gz"
    array = a_4d_file(path)

    for read in (read_image, read_geometry):
        with pytest.raises(
            BadFile, match=r"cine\.nii\.gz has 4 dimensions \(6 x 5 x 4 x 3\).*3D file of its own"
        ):
            read([path])
    channels = read_image([path], last_axis_is_channels=True).volume

    np.testing.assert_array_equal(channels.array, array)
    assert read_geometry([path], last_axis_is_channels=True) == channels.geometry


def test_4d_labels_are_refused(tmp_path):
    a_4d_file(tmp_path / "cine.nii.gz")

    with pytest.raises(BadFile, match="has 4 dimensions"):
        read_labels(tmp_path / "cine.nii.gz")


def test_complex_images_are_refused(tmp_path):
    path = write_array(tmp_path / "case.nrrd", np.ones((3, 4, 5), np.complex64))

    with pytest.raises(BadFile, match=r"complex numbers\. Export the magnitude image"):
        read_image([path])


def test_fractional_labels_are_refused(tmp_path):
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 1] = 0.25
    path = write_array(tmp_path / "case.nii.gz", array)

    with pytest.raises(
        BadFile, match=r"case\.nii\.gz has 5 fractional label values, for example 0\.25\..*whole"
    ):
        read_labels(path)


@pytest.mark.parametrize("value", [-1, 2**31])
def test_negative_and_too_large_labels_are_refused(tmp_path, value):
    path = write_array(tmp_path / "case.nii.gz", np.full((3, 4, 5), value, np.int64))

    with pytest.raises(BadFile, match=f"has the label value {value}, but values go from 0 to 2147483647"):
        read_labels(path)


def test_labels_with_values_outside_the_table_are_refused_with_the_table(tmp_path):
    path = write_array(tmp_path / "case.nii.gz", np.arange(60, dtype=np.int16).reshape(3, 4, 5) % 4)

    with pytest.raises(
        BadFile, match=r"the label table lacks: 2, 3 \(known: 0 background, 1 liver, 300 tumor\)"
    ):
        read_labels(path, TABLE)


def test_vector_labels_without_segments_are_refused(tmp_path):
    image = sitk.GetImageFromArray(np.ones((3, 4, 5, 2), np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "case.nrrd"))

    with pytest.raises(BadFile, match="has 2 numbers per voxel, but no segments are described"):
        read_labels(tmp_path / "case.nrrd")


def test_values_that_the_table_lacks_are_not_written(tmp_path, a_label_map):
    with pytest.raises(CannotWrite, match=r"label values that its table lacks: 300\. Add"):
        write_labels(tmp_path / "case.nii.gz", a_label_map, LabelTable(TABLE.structures[:1]))


@pytest.mark.parametrize("read", [lambda path: read_image([path]), read_labels], ids=["image", "labels"])
def test_damaged_files_are_refused_by_name(tmp_path, read):
    whole = gzip.compress(b"\0" * 5000)
    for name, content in {"empty.nii.gz": b"", "cut.nii.gz": whole[:-9], "text.nrrd": b"hello"}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BadFile, match=str(path)):
            read(path)


def test_an_error_of_itk_shows_no_address_in_memory(tmp_path):
    file = tmp_path / "spleen.nii.gz"
    file.write_bytes(b"not compressed, and no header")

    with pytest.raises(BadFile) as refused:
        read_image([file])

    assert str(file) in str(refused.value)
    assert "0x" not in str(refused.value)
