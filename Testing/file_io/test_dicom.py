"""A folder of DICOM slices becomes one volume at its place, and what is wrong with it is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom import find_series, is_dicom, list_series, read_series, series_geometry
from ContrastiveSegLib.file_io.files import read_geometry, read_image
from ContrastiveSegLib.imaging.volume import Geometry

PLANE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OBLIQUE_PLANE = (0.8, 0.0, -0.6, 0.0, 1.0, 0.0)
UID = "1.2.826.0.1.3680043.2.1125.{}"


def write_series(
    folder: Path,
    offsets: Sequence[float],
    *,
    plane: tuple[float, ...] = PLANE,
    sideways: float = 0.0,
    series: int = 1,
) -> np.ndarray:
    """Write one file per offset along the slice normal; gives the voxels (K, H, W) as they were written."""
    array = np.random.default_rng(series).integers(-500, 900, (len(offsets), 5, 6)).astype(np.int16)
    folder.mkdir(parents=True, exist_ok=True)
    for number, (offset, pixels) in enumerate(zip(offsets, array, strict=True)):
        normal = np.cross(plane[:3], plane[3:])
        position = np.array([-20.0, 30.0, 7.0]) + offset * normal + sideways * number * np.array(plane[3:])
        image = sitk.GetImageFromArray(pixels[None])
        image.SetSpacing((0.7, 0.8, 3.0))
        entries = {
            "0008|0060": "MR",
            "0008|0018": UID.format(f"{series}.{number + 1}"),
            "0020|000d": UID.format(9),
            "0020|000e": UID.format(series),
            "0008|103e": f"series {series}",
            "0010|0020": "Patient 7",
            "0020|0013": str(number + 1),
            "0020|0032": "\\".join(f"{p:.6f}" for p in position),
            "0020|0037": "\\".join(str(p) for p in plane),
        }
        for key, value in entries.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"s{series}_{number:03d}.dcm"))
        writer.Execute(image)
    return array


@pytest.fixture
def a_series_folder(tmp_path) -> Path:
    folder = tmp_path / "Größe 1"
    write_series(folder, [0, 3, 6, 9])
    return folder


@pytest.mark.parametrize("slopes", [(1, 0.25, 2.5, 0.001), (2, 0.5, 0.5, 0.5), (0.3, 1, 1, 1)])
def test_each_slice_of_pet_has_its_own_scale_and_keeps_its_fractions(tmp_path, slopes):
    array = write_series(tmp_path, [0, 3, 6, 9])
    for file, slope in zip(sorted(tmp_path.iterdir()), slopes, strict=True):
        dataset = pydicom.dcmread(file)
        dataset.RescaleSlope, dataset.RescaleIntercept = str(slope), "0"
        dataset.save_as(file)

    read = read_image([tmp_path])

    expected = array * np.array(slopes)[:, None, None]
    np.testing.assert_allclose(read.volume.array[0], expected, rtol=1e-6)


def _space_pixels(folder: Path, number: int, spacing: list[float] | None) -> None:
    file = sorted(folder.iterdir())[number]
    dataset = pydicom.dcmread(file)
    dataset.pop("PixelSpacing", None)
    if spacing is not None:
        dataset.PixelSpacing = spacing
    dataset.save_as(file)


def test_pixels_of_no_size_are_refused_and_an_unknown_size_is_noted(a_series_folder):
    for number in range(4):
        _space_pixels(a_series_folder, number, None)
    assert read_image([a_series_folder]).notes == (
        "Größe 1: it does not say how large its pixels are; they are taken as 1 mm wide.",
    )

    for number in range(4):
        _space_pixels(a_series_folder, number, [0, 0])
    with pytest.raises(
        BadFile, match=r"s1_000\.dcm has pixels of '0.0\\0.0' mm by its header, which cannot be"
    ):
        read_image([a_series_folder])


@pytest.mark.parametrize("spacing", [None, [0.9, 0.7]])
def test_slices_with_pixels_of_different_sizes_are_no_volume(a_series_folder, spacing):
    _space_pixels(a_series_folder, 2, spacing)

    with pytest.raises(BadFile, match="have pixels of different sizes"):
        read_image([a_series_folder])


@pytest.mark.parametrize("plane", [PLANE, OBLIQUE_PLANE], ids=["straight", "oblique"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_slices_are_sorted_by_their_place_and_keep_it(tmp_path, plane, order):
    array = write_series(tmp_path, [3.0 * n for n in order], plane=plane)

    read = read_image([tmp_path])

    # Whichever end GDCM begins with: every written slice must lie where its header says.
    normal = np.cross(plane[:3], plane[3:])
    for n, pixels in zip(order, array, strict=True):
        place = np.array([-20.0, 30.0, 7.0]) + 3.0 * n * normal
        grid = read.volume.geometry
        k = round(float((place - grid.origin) @ np.reshape(grid.direction, (3, 3))[:, 2] / grid.spacing[2]))
        np.testing.assert_array_equal(read.volume.array[0, k], pixels)
        np.testing.assert_allclose(grid.index_to_physical((0, 0, k)), place, atol=1e-4)
    assert read.notes == ()


@pytest.mark.parametrize("offsets", [[0, 3, 6, 9], [9, 6, 3], [5], [0, 3, 9]])
@pytest.mark.parametrize("plane", [PLANE, OBLIQUE_PLANE], ids=["straight", "oblique"])
def test_the_geometry_from_two_headers_is_that_of_the_volume(tmp_path, offsets, plane):
    write_series(tmp_path, offsets, plane=plane)
    series = find_series(tmp_path)

    image, _ = read_series(series)

    assert series_geometry(series).matches(Geometry.of(image))
    assert read_geometry([tmp_path]).matches(Geometry.of(image))


def test_a_series_of_one_slice_is_a_volume_of_one_slice(tmp_path):
    array = write_series(tmp_path, [4.0])

    np.testing.assert_array_equal(read_image([tmp_path]).volume.array, array[None])


def test_one_file_with_all_slices_is_read(tmp_path):
    array = np.random.default_rng(0).integers(0, 200, (4, 5, 6)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "all.dcm"))

    np.testing.assert_array_equal(read_image([tmp_path]).volume.array[0], array)


def test_a_series_tells_patient_description_and_files(a_series_folder):
    (series,) = list_series(a_series_folder)

    assert series.path == a_series_folder
    assert (series.patient, series.description, series.uid) == ("Patient 7", "series 1", UID.format(1))
    assert [file.name for file in series.files] == [f"s1_{n:03d}.dcm" for n in range(4)]


def test_several_series_in_a_folder_are_told_apart_by_their_first_file(tmp_path):
    arrays = {number: write_series(tmp_path, [0, 3], series=number) for number in (1, 2)}

    found = list_series(tmp_path)

    assert {series.path.name for series in found} == {"s1_000.dcm", "s2_000.dcm"}
    for series in found:
        number = int(series.description[-1])
        np.testing.assert_array_equal(read_image([series.path]).volume.array[0], arrays[number])
    with pytest.raises(
        BadFile, match=r"holds 2 DICOM series: .*series \d \(2 files\).* Choose the first file"
    ):
        read_image([tmp_path])


@pytest.mark.parametrize(("offsets", "said"), [([0, 3, 9, 12], "3 to 6 mm"), ([0, 3, 6, 9.5], "3 to 3.5 mm")])
def test_slices_that_are_not_evenly_spaced_are_noted(tmp_path, offsets, said):
    write_series(tmp_path / "case 1", offsets)

    (note,) = read_image([tmp_path / "case 1"]).notes

    assert note.startswith(f"case 1: the slices are {said} apart (a slice may be missing)")
    mean = offsets[-1] / 3
    assert f"as if all were {mean:.4g} mm apart" in note
    worst = max(abs(mean * n - offset) for n, offset in enumerate(offsets))
    assert f"up to {worst:.2g} mm from where they were taken" in note


def test_rounded_positions_are_no_gaps(tmp_path):
    write_series(tmp_path, [0, 2.99, 6.01, 9.0])

    assert read_image([tmp_path]).notes == ()


@pytest.mark.parametrize(("thickness", "noted"), [("3", True), ("8", False), ("", False), ("x", False)])
def test_two_slices_with_others_missing_between_are_noted(tmp_path, thickness, noted):
    write_series(tmp_path, [0, 10])
    for file in tmp_path.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.pop("SpacingBetweenSlices", None)
        dataset.add_new("SliceThickness", "LO", thickness)
        dataset.save_as(file)

    notes = read_image([tmp_path]).notes

    assert [f"its two slices are 10 mm apart, but the header says {thickness} mm" in n for n in notes] == (
        [True] if noted else []
    )


def test_two_stacks_of_slices_are_refused(tmp_path):
    write_series(tmp_path, [0, 3, 6, 9, 60, 63, 66])

    with pytest.raises(BadFile, match=r"several stacks: 4 slices, a gap of 51 mm, and 3 more"):
        read_image([tmp_path])


def test_a_tilted_gantry_is_noted(tmp_path):
    write_series(tmp_path, [0, 3, 6, 9], sideways=1.0)

    (note,) = read_image([tmp_path]).notes

    assert "stacked askew (tilted gantry), 3.0 mm from the first to the last" in note


def test_a_time_series_is_refused(tmp_path):
    write_series(tmp_path, [0, 3, 0, 3])

    with pytest.raises(
        BadFile, match="has 4 slices at 2 positions: it is a time series or has several phases"
    ):
        read_image([tmp_path])


def test_slices_of_different_orientation_are_refused(tmp_path):
    write_series(tmp_path, [0, 3])
    for file in tmp_path.iterdir():
        file.rename(tmp_path / f"first_{file.name}")
    write_series(tmp_path, [6, 9], plane=OBLIQUE_PLANE)

    with pytest.raises(BadFile, match="oriented differently, as in a localizer"):
        read_image([tmp_path])


def test_slices_without_a_position_are_refused(tmp_path):
    write_series(tmp_path, [0, 3])
    for file in tmp_path.iterdir():
        # The writer insists on a position, so it is turned into another, meaningless tag.
        file.write_bytes(file.read_bytes().replace(b"\x20\x00\x32\x00", b"\x20\x00\x33\x00"))

    with pytest.raises(BadFile, match=r"where its slice lies in the patient \(DICOM tag 0020,0032\)"):
        read_image([tmp_path])


@pytest.mark.parametrize("kept", [0, 300, -30])
def test_a_damaged_slice_is_refused_by_name(a_series_folder, kept):
    file = a_series_folder / "s1_001.dcm"
    file.write_bytes(file.read_bytes()[:kept])

    for read in (read_image, read_geometry):
        with pytest.raises(
            BadFile, match=r"holds 1 DICOM files that are damaged or may not be opened: s1_001\.dcm"
        ):
            read([a_series_folder])


def test_reports_and_notes_beside_the_slices_do_no_harm(a_series_folder):
    (a_series_folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (a_series_folder / "readme.txt").write_text("notes")
    contours = b"\0" * 128 + b"DICM" + b"\2\0\2\0UI\x1e\x00" + b"1.2.840.10008.5.1.4.1.1.481.3\0"
    (a_series_folder / "contours.dcm").write_bytes(contours)

    assert read_image([a_series_folder]).volume.array.shape == (1, 4, 5, 6)


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")

    assert list_series(tmp_path) == ()
    with pytest.raises(BadFile, match="holds no DICOM image"):
        read_image([tmp_path])


def test_dicom_is_known_by_its_signature_or_its_name(a_series_folder, tmp_path):
    unnamed = (a_series_folder / "s1_000.dcm").rename(tmp_path / "IM0001")
    (tmp_path / "case.nii").write_bytes(b"x" * 400)

    assert is_dicom(unnamed)
    assert is_dicom(a_series_folder / "s1_001.dcm")
    assert not is_dicom(tmp_path / "case.nii")
    assert not is_dicom(tmp_path)
