"""Files come back voxel by voxel at their place in the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import (
    read_geometry,
    read_image,
    read_labels,
    write_image,
    write_labels,
)
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from Testing.orientations import OBLIQUE

GRIDS = {
    "anisotropic": Geometry((4, 5, 6), (0.7, 1.3, 5.0), (-12.5, 30.25, 7.0)),
    "flipped": Geometry((4, 5, 6), (1.0, 2.0, 3.0), (9.0, 8.0, 7.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1)),
    "oblique": Geometry((4, 5, 6), (0.5, 0.9, 3.0), (4.0, -8.0, 100.0), OBLIQUE),
    "one slice": Geometry((4, 5, 1), (0.5, 0.9, 3.0), (4.0, -8.0, 100.0), OBLIQUE),
}
IMAGE_SUFFIXES = [".nii.gz", ".nii", ".nrrd", ".mha"]
LABEL_SUFFIXES = [".seg.nrrd", *IMAGE_SUFFIXES]
TABLE = LabelTable((Structure(1, "liver", (1.0, 0.0, 0.0)), Structure(300, "tumor", (0.0, 1.0, 0.0))))


@pytest.fixture(params=GRIDS.values(), ids=GRIDS.keys())
def a_grid(request) -> Geometry:
    return request.param


@pytest.fixture
def a_label_map() -> Volume:
    return label_map_on(GRIDS["oblique"])


def image_on(grid: Geometry, *, channels: int = 1) -> Volume:
    array = np.random.default_rng(3).normal(size=(channels, *grid.shape)).astype(np.float32)
    return Volume(array, grid)


def label_map_on(grid: Geometry) -> Volume:
    return Volume(np.random.default_rng(4).choice([0, 1, 300], grid.shape).astype(np.int16), grid)


def write_array(path: Path, array: np.ndarray) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_format_returns_each_voxel_to_its_place(tmp_path, a_grid, suffix, channels):
    if channels > 1 and a_grid.shape[0] == 1 and ".nii" in suffix:
        pytest.skip("SimpleITK reads a NIfTI file with several channels and one slice as a 2D image")
    image = image_on(a_grid, channels=channels)
    path = tmp_path / f"case{suffix}"

    write_image(path, image)
    read = read_image([path])

    np.testing.assert_array_equal(read.volume.array, image.array)
    assert read.volume.array.dtype == np.float32
    assert read.volume.geometry.matches(a_grid)
    assert read_geometry([path]) == read.volume.geometry
    assert read.notes == ()


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_every_label_format_returns_each_voxel_to_its_place(tmp_path, a_grid, suffix):
    labels = label_map_on(a_grid)
    path = tmp_path / f"case{suffix}"

    write_labels(path, labels, TABLE)
    read = read_labels(path, TABLE)

    np.testing.assert_array_equal(read.volume.array, labels.array)
    assert read.volume.array.dtype == np.int16
    assert read.volume.geometry.matches(a_grid)
    assert read.table == TABLE
    assert read.notes == ()


def test_one_file_per_channel_makes_one_image(tmp_path):
    image = image_on(GRIDS["oblique"], channels=2)
    paths = [tmp_path / "case_0000.nii.gz", tmp_path / "case_0001.nrrd"]
    for path, channel in zip(paths, image.array, strict=True):
        write_image(path, Volume(channel, image.geometry))

    read = read_image(paths)

    np.testing.assert_array_equal(read.volume.array, image.array)


def test_channels_on_different_grids_are_refused_with_both_geometries(tmp_path):
    paths = [tmp_path / "t1.nii.gz", tmp_path / "t2.nii.gz"]
    for path, name in zip(paths, ("oblique", "flipped"), strict=True):
        write_image(path, image_on(GRIDS[name]))

    with pytest.raises(BadFile, match=r"0\.5 x 0\.9 x 3 mm.*t2\.nii\.gz has .*1 x 2 x 3 mm.*Resample"):
        read_image(paths)


def test_whole_numbers_of_any_type_are_read_exactly(tmp_path):
    values = np.arange(-60, 60).reshape(4, 5, 6)

    for dtype in (np.int8, np.int16, np.int32, np.float64):
        path = write_array(tmp_path / f"{np.dtype(dtype)}.nii.gz", values.astype(dtype))
        np.testing.assert_array_equal(read_image([path]).volume.array[0], values)


@pytest.mark.parametrize("name", ["with some spaces", "Prostata-Größe Müller", "頭部 CT", "l" * 240])
@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".mha"])
def test_names_may_be_long_and_in_any_script(tmp_path, a_label_map, name, suffix):
    path = tmp_path / name / f"{name}{suffix}"

    write_labels(path, a_label_map, TABLE)

    np.testing.assert_array_equal(read_labels(path, TABLE).volume.array, a_label_map.array)
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_paths_may_be_long(tmp_path, a_label_map, suffix):
    path = tmp_path.joinpath(*["folder" * 30] * 6) / f"case{suffix}"

    write_labels(path, a_label_map, TABLE)

    np.testing.assert_array_equal(read_labels(path, TABLE).volume.array, a_label_map.array)


def test_an_axis_of_length_one_beyond_the_third_does_not_count(tmp_path):
    volume = sitk.GetImageFromArray(np.arange(120, dtype=np.int16).reshape(4, 5, 6))
    sitk.WriteImage(sitk.JoinSeries([volume]), str(tmp_path / "case.nrrd"))

    assert read_image([tmp_path / "case.nrrd"]).volume.array.shape == (1, 4, 5, 6)
    assert read_labels(tmp_path / "case.nrrd").volume.array.shape == (4, 5, 6)


def test_whole_numbers_stored_as_fractions_are_fine_labels(tmp_path):
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5) % 3

    read = read_labels(write_array(tmp_path / "case.nii.gz", array))

    np.testing.assert_array_equal(read.volume.array, array)
    assert read.table.names == ("structure 1", "structure 2")


def test_labels_of_nothing_but_background_are_noted(tmp_path):
    path = write_array(tmp_path / "case.nii.gz", np.zeros((3, 4, 5), np.uint8))

    read = read_labels(path)

    assert read.notes == ("case.nii.gz: all voxels are background.",)
    assert read.table == LabelTable(())


NRRD = "NRRD0005\ntype: short\ndimension: 3\nsizes: 4 3 2\n{}endian: little\nencoding: raw\n\n"
MHA = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 4 3 2\n{}"
    "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
)


@pytest.mark.parametrize(
    ("name", "header", "said"),
    [
        ("a.nrrd", NRRD.format(""), True),
        ("b.nrrd", NRRD.format("axis mins: 0 0 0\naxis maxs: 8 6 4\n"), True),
        ("c.nrrd", NRRD.format("spacings: 1 1 1\n"), False),
        ("d.nrrd", NRRD.format("space: ras\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"), False),
        ("e.mha", MHA.format(""), True),
        ("f.mha", MHA.format("ElementSpacing = 1 1 1\n"), False),
        ("g.mha", MHA.format("ElementSize = 1 1 1\n"), False),
    ],
)
def test_a_header_without_voxel_sizes_is_said(tmp_path, name, header, said):
    path = tmp_path / name
    path.write_bytes(header.encode() + np.arange(24, dtype="<i2").tobytes())

    for notes in (read_image([path]).notes, read_labels(path).notes):
        assert any(f"{name}: the header does not say how large a voxel is" in note for note in notes) == said
