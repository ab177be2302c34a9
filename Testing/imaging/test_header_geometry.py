"""Headers that describe no grid are refused; those that nearly do, or use other units, are understood."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_geometry, read_image, read_labels, write_image
from ContrastiveSegLib.imaging.grid import derive_grid, working_geometry
from ContrastiveSegLib.imaging.header_geometry import sound_geometry
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.resampling import prepare

ARRAY = np.random.default_rng(0).integers(1, 90, (6, 8, 10)).astype(np.int16)
READERS = [lambda path: read_image([path]), lambda path: read_geometry([path]), read_labels]


def nifti(path: Path, *, pixdim=(0.7, 0.8, 3.0), sform=None, qform=False) -> Path:
    """A NIfTI file with these header fields; without forms, pixdim alone says where voxels lie."""
    sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(path))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<3f", raw, 80, *pixdim)
    struct.pack_into("<2h", raw, 252, int(qform), int(sform is not None))
    if sform is not None:
        struct.pack_into("<12f", raw, 280, *np.ravel(sform))
    path.write_bytes(raw)
    return path


def nrrd(path: Path, spacing: str) -> Path:
    directions = f"({spacing},0,0) (0,0.8,0) (0,0,3)"
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 10 8 6\n"
        f"space directions: {directions}\nendian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    )
    path.write_bytes(header.encode() + ARRAY.tobytes())
    return path


def mha(path: Path, spacing: str) -> Path:
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 10 8 6\n"
        f"ElementSpacing = {spacing} 0.8 3\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + ARRAY.tobytes())
    return path


IMPOSSIBLE: dict[str, Callable[[Path, str], Path]] = {
    "pixdim": lambda folder, value: nifti(folder / "a.nii", pixdim=(float(value), 0.8, 3)),
    "pixdim of qform": lambda folder, value: nifti(
        folder / "a.nii", pixdim=(float(value), 0.8, 3), qform=True
    ),
    "pixdim beside sform": lambda folder, value: nifti(
        folder / "a.nii", pixdim=(float(value), 0.8, 3), sform=np.diag([-0.7, -0.8, 3, 1])[:3]
    ),
    "sform": lambda folder, value: nifti(folder / "a.nii", sform=np.diag([float(value), 0.8, 3, 1])[:3]),
    "nrrd": lambda folder, value: nrrd(folder / "a.nrrd", value),
    "mha": lambda folder, value: mha(folder / "a.mha", value),
}


@pytest.mark.parametrize("value", ["0", "nan", "inf", "1e30", "1e-30"])
@pytest.mark.parametrize("place", IMPOSSIBLE)
@pytest.mark.parametrize("read", READERS, ids=["image", "geometry", "labels"])
def test_voxels_of_no_size_are_refused_by_every_reader(tmp_path, place, value, read):
    path = IMPOSSIBLE[place](tmp_path, value)

    with pytest.raises(BadFile, match=str(path)):
        read(path)


@pytest.mark.parametrize("offset", [np.nan, np.inf, 1e30])
def test_a_place_that_cannot_be_is_refused(tmp_path, offset):
    sform = np.diag([-0.7, -0.8, 3.0, 1])[:3]
    sform[0, 3] = offset

    for read in READERS:
        with pytest.raises(BadFile, match="a\\.nii"):
            read(nifti(tmp_path / "a.nii", sform=sform))


def test_a_negative_spacing_is_an_axis_that_runs_the_other_way(tmp_path):
    path = nrrd(tmp_path / "a.nrrd", "-0.7")

    geometry = read_image([path]).volume.geometry

    assert read_geometry([path]).matches(geometry)
    np.testing.assert_allclose(geometry.index_to_physical((1, 0, 0)), (-0.7, 0, 0))


def leaning(voxels: float) -> np.ndarray:
    """An sform whose second axis leans by so many voxels at the ends of the volume of 10 x 8 x 6."""
    matrix = np.diag([-0.7, -0.8, 3.0, 1])[:3]
    matrix[0, 1] = voxels * 0.7 / 3.5
    matrix[:, 3] = (5, 6, 7)
    return matrix


def test_axes_that_lean_by_less_than_a_tenth_of_a_voxel_are_straightened_and_that_is_said(tmp_path):
    path = nifti(tmp_path / "a.nii", sform=leaning(0.08))

    read = read_image([path])

    axes = np.reshape(read.volume.geometry.direction, (3, 3))
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    assert [note for note in read.notes if "not quite at right angles" in note]
    assert read_geometry([path]).matches(read.volume.geometry)
    np.testing.assert_array_equal(read.volume.array[0], ARRAY)
    middle = leaning(0.08) @ [4.5, 3.5, 2.5, 1] * (-1, -1, 1)
    np.testing.assert_allclose(read.volume.geometry.physical_to_index(middle), (4.5, 3.5, 2.5), atol=1e-5)


def test_axes_that_lean_farther_are_refused(tmp_path):
    for read in READERS:
        with pytest.raises(BadFile, match="sheared axes"):
            read(nifti(tmp_path / "a.nii", sform=leaning(0.4)))


@pytest.mark.parametrize(("lean", "accepted"), [(1e-9, True), (0.01, True), (0.2, False)])
def test_directions_of_other_formats_are_judged_alike(tmp_path, lean, accepted):
    geometry = Geometry((10, 8, 6), (0.7, 0.8, 3.0), (1, 2, 3), (1, lean, 0, 0, 1, 0, 0, 0, 1))

    if not accepted:
        with pytest.raises(BadFile, match="sheared axes"):
            sound_geometry(tmp_path / "a.mha", geometry)
        return
    straight, notes = sound_geometry(tmp_path / "a.mha", geometry)
    assert (
        np.abs(
            straight.physical_to_index(geometry.index_to_physical(geometry.corner_voxels()))
            - geometry.corner_voxels()
        ).max()
        <= 0.1
    )
    assert len(notes) == (lean > 1e-6)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3], ids=["microns", "millimeters", "meters"])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_spacings_of_any_unit_are_kept_through_preparing(tmp_path, unit, suffix):
    spacing = (0.123456 * unit, 0.123456 * unit, 0.7 * unit)
    volume = Volume(ARRAY.astype(np.float32), Geometry((10, 8, 6), spacing, (3 * unit, 0.0, -5 * unit)))
    write_image(tmp_path / f"a{suffix}", volume)

    read = read_image([tmp_path / f"a{suffix}"])
    grid = derive_grid([read.volume.geometry], spatial_dims=3)
    working, _ = prepare(read.volume, grid, Intensities())

    np.testing.assert_allclose(read.volume.geometry.spacing, spacing, rtol=1e-6)
    assert (grid.spacing, grid.slice_spacing) == pytest.approx((0.12346 * unit, 0.7 * unit))
    assert working_geometry(read.volume.geometry, grid).size == (10, 8, 6)
    assert np.ptp(np.asarray(working.array, np.float32)) == 1


def test_half_of_a_pair_is_refused(tmp_path):
    path = nifti(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    raw[344:348] = b"\0\0\0\0"
    path.write_bytes(raw[:700])

    for read in READERS:
        with pytest.raises(BadFile, match=r"Analyze file, or of a pair"):
            read(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("lost", [1, 2, 300])
def test_a_file_cut_short_is_never_filled_with_zeros(tmp_path, name, lost):
    whole = nifti(tmp_path / "whole.nii").read_bytes()
    content = whole[:-lost]
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)

    for read in (READERS[0], READERS[2]):
        with pytest.raises(BadFile, match="is cut off"):
            read(tmp_path / name)
