"""A DICOM file of many frames is one volume with every frame at its place, or is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_geometry, read_image

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OBLIQUE = (0.8, 0.0, -0.6, 0.0, 1.0, 0.0)
FIRST = np.array([-40.0, 12.0, 30.0])
ROWS, COLUMNS, SPACING = 5, 6, (1.5, 0.8)  # between rows, between columns


def item(**values: object) -> list[Dataset]:
    dataset = Dataset()
    for key, value in values.items():
        setattr(dataset, key, value)
    return [dataset]


def write_frames(
    path: Path,
    offsets: Sequence[float],
    *,
    plane: Sequence[float] = STRAIGHT,
    slopes: Sequence[float] = (),
    planes: Sequence[Sequence[float]] = (),
    spacing: tuple[float, float] = SPACING,
    stacks: Sequence[str] = (),
    sizes: Sequence[float] = (),
) -> np.ndarray:
    """Write a frame for each offset along the normal; gives the stored numbers (N, ROWS, COLUMNS)."""
    stored = (
        np.random.default_rng(len(offsets)).integers(0, 900, (len(offsets), ROWS, COLUMNS)).astype(np.uint16)
    )
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = EnhancedMRImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    file = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.StudyInstanceUID, file.SeriesInstanceUID = generate_uid(), generate_uid()
    file.Modality, file.PatientID, file.ImageType = "MR", "P4", ["ORIGINAL", "PRIMARY", "M", "NONE"]
    file.Rows, file.Columns, file.NumberOfFrames, file.SamplesPerPixel = ROWS, COLUMNS, len(offsets), 1
    file.PhotometricInterpretation, file.PixelRepresentation = "MONOCHROME2", 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
    shared = Dataset()
    shared.PixelMeasuresSequence = item(PixelSpacing=list(spacing), SliceThickness=3.0)
    file.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for number, offset in enumerate(offsets):
        here = planes[number] if planes else plane
        frame, normal = Dataset(), np.cross(here[:3], here[3:])
        frame.PlanePositionSequence = item(ImagePositionPatient=(FIRST + offset * normal).tolist())
        frame.PlaneOrientationSequence = item(ImageOrientationPatient=list(here))
        if stacks:
            frame.FrameContentSequence = item(StackID=stacks[number])
        if sizes:
            frame.PixelMeasuresSequence = item(PixelSpacing=[sizes[number]] * 2, SliceThickness=3.0)
        if slopes:
            frame.PixelValueTransformationSequence = item(
                RescaleSlope=str(slopes[number]), RescaleIntercept=str(-number), RescaleType="US"
            )
        frames.append(frame)
    file.PerFrameFunctionalGroupsSequence = frames
    file.PixelData = stored.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)
    return stored


def assert_each_frame_lies_where_it_was_taken(
    folder: Path, offsets: Sequence[float], plane: Sequence[float]
) -> None:
    volume = read_image([folder]).volume
    stored = pydicom.dcmread(next(folder.iterdir())).pixel_array
    rows, columns = np.array(plane[:3]), np.array(plane[3:])
    for offset, pixels in zip(offsets, stored, strict=True):
        place = FIRST + offset * np.cross(rows, columns)
        index = volume.geometry.physical_to_index(place)
        np.testing.assert_allclose(index, np.rint(index), atol=1e-6)
        np.testing.assert_array_equal(volume.array[0, round(index[2])], pixels)
        next_column = volume.geometry.index_to_physical(np.add(index, (1, 0, 0)))
        np.testing.assert_allclose(next_column, place + 0.8 * rows, atol=1e-6)


@pytest.mark.parametrize("plane", [STRAIGHT, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 3, 1, 4, 2], [2, 0, 4, 1, 3]])
def test_frames_are_sorted_by_their_place(tmp_path, plane, order):
    offsets = [3.0 * n for n in order]
    write_frames(tmp_path / "mr" / "enhanced.dcm", offsets, plane=plane)

    assert_each_frame_lies_where_it_was_taken(tmp_path / "mr", offsets, plane)
    read = read_image([tmp_path / "mr"])
    assert read.notes == ()
    assert read.volume.geometry.spacing == pytest.approx((0.8, 1.5, 3.0))
    assert read_geometry([tmp_path / "mr"]).matches(read.volume.geometry)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_uneven_frames_are_noted_like_uneven_slices(tmp_path, scale):
    offsets = [scale * n for n in (0, 3, 6, 15, 18)]
    write_frames(tmp_path / "enhanced.dcm", offsets, spacing=(1.5 * scale, 0.8 * scale))

    read = read_image([tmp_path])

    (note,) = read.notes
    assert f"the slices are {3 * scale:.4g} to {9 * scale:.4g} mm apart (a slice may be missing)" in note
    assert read.volume.geometry.spacing == pytest.approx((0.8 * scale, 1.5 * scale, 4.5 * scale))


@pytest.mark.parametrize(
    "offsets",
    [[0, 3, 6, 0, 3, 6], [0, 0, 3, 3, 6, 6], [0, 3, 6, 9, 3]],
    ids=["phases", "echoes", "one twice"],
)
def test_several_frames_at_one_place_are_refused(tmp_path, offsets):
    write_frames(tmp_path / "enhanced.dcm", offsets)

    with pytest.raises(BadFile, match=r"slices at \d positions: it is a time series or has several phases"):
        read_image([tmp_path])
    with pytest.raises(BadFile, match="time series or has several phases"):
        read_geometry([tmp_path])


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [3, 4, 5, 0, 1, 2], [5, 0, 3, 1, 4, 2]])
def test_two_stacks_with_a_gap_are_refused(tmp_path, order):
    write_frames(tmp_path / "enhanced.dcm", [(0, 3, 6, 40, 43, 46)[n] for n in order])

    for read in (read_image, read_geometry):
        with pytest.raises(
            BadFile, match=r"several stacks: 3 slices, a gap of 34 mm, and 3 more.*3 mm apart"
        ):
            read([tmp_path])


def test_two_frames_with_slices_missing_between_are_noted(tmp_path):
    write_frames(tmp_path / "apart" / "enhanced.dcm", [0, 12])
    write_frames(tmp_path / "near" / "enhanced.dcm", [3, 0])

    (note,) = read_image([tmp_path / "apart"]).notes
    assert (
        "its two slices are 12 mm apart, but the header says 3 mm: slices between them may be missing" in note
    )
    assert read_image([tmp_path / "near"]).notes == ()


def test_stacks_that_the_header_names_are_one_volume_only_if_they_follow_each_other(tmp_path):
    names = ["1", "1", "2", "2"]
    write_frames(tmp_path / "even" / "enhanced.dcm", [0, 3, 6, 9], stacks=names)
    write_frames(tmp_path / "apart" / "enhanced.dcm", [0, 3, 10, 13], stacks=names)
    write_frames(tmp_path / "missing" / "enhanced.dcm", [0, 3, 10, 13])

    assert read_image([tmp_path / "even"]).notes == ()
    assert "a slice may be missing" in read_image([tmp_path / "missing"]).notes[0]
    with pytest.raises(BadFile, match=r"several stacks: 2 slices, a gap of 7 mm"):
        read_image([tmp_path / "apart"])


def test_stacks_in_several_directions_are_refused(tmp_path):
    write_frames(tmp_path / "enhanced.dcm", [0, 3, 6, 9], planes=[STRAIGHT, STRAIGHT, OBLIQUE, OBLIQUE])

    with pytest.raises(BadFile, match="are oriented differently, as in a localizer"):
        read_image([tmp_path])


def test_each_frame_has_its_own_scale(tmp_path):
    slopes = [1.0, 0.25, 2.5, 0.001]
    stored = write_frames(tmp_path / "pet.dcm", [9, 0, 6, 3], slopes=slopes)

    read = read_image([tmp_path])

    values = [pixels * slope - n for n, (pixels, slope) in enumerate(zip(stored, slopes, strict=True))]
    np.testing.assert_allclose(read.volume.array[0], np.array(values)[[1, 3, 2, 0]], rtol=1e-6)


def test_one_scale_for_all_frames_is_used(tmp_path):
    stored = write_frames(tmp_path / "pet.dcm", [0, 3, 6], slopes=[0.5] * 3)
    file = pydicom.dcmread(tmp_path / "pet.dcm")
    for frame in file.PerFrameFunctionalGroupsSequence:
        frame.PixelValueTransformationSequence[0].RescaleIntercept = "0"
    file.save_as(tmp_path / "pet.dcm")

    np.testing.assert_allclose(read_image([tmp_path]).volume.array[0], stored * 0.5)


def test_frames_without_a_place_are_refused(tmp_path):
    write_frames(tmp_path / "enhanced.dcm", [0, 3, 6])
    file = pydicom.dcmread(tmp_path / "enhanced.dcm")
    for frame in file.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence
    file.save_as(tmp_path / "enhanced.dcm")

    with pytest.raises(BadFile, match="does not say where its 3 frames lie"):
        read_image([tmp_path])


def test_several_files_of_frames_are_several_phases(tmp_path):
    for name in ("one.dcm", "two.dcm"):
        write_frames(tmp_path / name, [0, 3, 6])
        file = pydicom.dcmread(tmp_path / name)
        file.SeriesInstanceUID = "1.2.3.4"
        file.save_as(tmp_path / name)

    with pytest.raises(BadFile, match="2 files of several frames"):
        read_image([tmp_path])


@pytest.mark.parametrize("sizes", [(1.5, 1.5, 2.0), (1.5, 0.0, 1.5)])
def test_frames_with_pixels_of_several_sizes_are_refused(tmp_path, sizes):
    write_frames(tmp_path / "a.dcm", (0, 3, 6), sizes=sizes)

    for read in (read_image, read_geometry):
        with pytest.raises(BadFile, match=r"a\.dcm has frames with pixels of (different sizes|a size that)"):
            read([tmp_path / "a.dcm"])


def test_a_film_of_one_slice_is_called_a_time_series(tmp_path):
    write_frames(tmp_path / "a.dcm", [0.0] * 9)

    for read in (read_image, read_geometry):
        with pytest.raises(BadFile, match="9 slices at 1 positions: it is a time series"):
            read([tmp_path / "a.dcm"])


def test_one_frame_without_a_place_is_counted(tmp_path):
    write_frames(tmp_path / "a.dcm", (0, 3, 6))
    file = pydicom.dcmread(tmp_path / "a.dcm")
    del file.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    file.save_as(tmp_path / "a.dcm")

    with pytest.raises(BadFile, match="does not say where 1 of its 3 frames lie in the patient"):
        read_image([tmp_path / "a.dcm"])
