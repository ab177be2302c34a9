"""Contours of RTSTRUCT fill the voxels that a slow loop finds inside them, on oblique grids, with holes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from ContrastiveSegLib.dataset.annotations import read_annotation
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_contours import read_contours
from ContrastiveSegLib.file_io.dicom_labels import label_table
from ContrastiveSegLib.file_io.files import read_geometry, read_labels
from ContrastiveSegLib.imaging.volume import Geometry
from Testing.file_io.test_dicom_segmentation import SHAPE, write_series

Dataset = pydicom.dataset.Dataset

GRID = Geometry((9, 8, 4), (1.5, 1.25, 3.0), (-10.0, 20.0, 5.0), (0.8, 0, 0.6, 0, -1, 0, 0.6, 0, -0.8))
BOX = [(1.2, 1.1), (6.3, 1.4), (5.6, 6.2), (1.4, 5.2)]  # i, j
HOLE = [(2.6, 2.6), (4.4, 2.6), (4.4, 4.4), (2.6, 4.4)]


def contour(points, k: float, grid: Geometry = GRID, kind: str = "CLOSED_PLANAR"):
    """A contour of (i, j) points at slice k of a grid."""
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(points)
    places = grid.index_to_physical([(i, j, k) for i, j in points])
    item.ContourData = [f"{n:.6g}" for n in places.ravel()]
    return item


def write(path: Path, regions: dict, *, series: str = "1.2.3", colors=None) -> Path:
    """A structure set: name of each region to its contours."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    found = Dataset()
    found.file_meta = meta
    found.SOPClassUID, found.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    found.Modality, found.PatientID, found.SeriesInstanceUID = "RTSTRUCT", "P1", pydicom.uid.generate_uid()
    found.StructureSetROISequence, found.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber = drawn.ReferencedROINumber = number
        roi.ROIName = name
        drawn.ROIDisplayColor = (colors or {}).get(name, [255, 0, 0])
        drawn.ContourSequence = contours
        found.StructureSetROISequence.append(roi)
        found.ROIContourSequence.append(drawn)
    frame, study, referred = Dataset(), Dataset(), Dataset()
    referred.SeriesInstanceUID = series
    study.RTReferencedSeriesSequence = [referred]
    frame.RTReferencedStudySequence = [study]
    found.ReferencedFrameOfReferenceSequence = [frame]
    path.parent.mkdir(parents=True, exist_ok=True)
    found.save_as(path, enforce_file_format=True)
    return path


def slow_mask(points, shape=GRID.shape[1:]) -> np.ndarray:
    """Which pixel centers lie inside a polygon of (i, j) points, by counting crossings of a ray."""
    mask = np.zeros(shape, bool)
    for j in range(shape[0]):
        for i in range(shape[1]):
            crossings = 0
            for (ai, aj), (bi, bj) in zip(points, points[1:] + points[:1], strict=True):
                if (aj > j) != (bj > j) and i < ai + (j - aj) * (bi - ai) / (bj - aj):
                    crossings += 1
            mask[j, i] = crossings % 2 == 1
    return mask


def test_pixels_inside_are_filled_and_holes_are_not(tmp_path):
    file = write(tmp_path / "rs.dcm", {"organ": [contour(BOX, 1), contour(HOLE, 1), contour(BOX, 2)]})

    volume, table, notes = read_contours(file, GRID)

    assert table.names == ("organ",)
    assert notes == ()
    expected = np.zeros(GRID.shape, int)
    expected[1] = slow_mask(BOX) ^ slow_mask(HOLE)
    expected[2] = slow_mask(BOX)
    np.testing.assert_array_equal(volume.array, expected)
    assert slow_mask(HOLE).sum() == 4


def test_a_contour_through_the_centers_of_voxels_holds_them(tmp_path):
    square, hole = [(1, 1), (5, 1), (5, 5), (1, 5)], [(2, 3), (3, 2), (4, 3), (3, 4)]
    drawn = [square, hole, [(8, 0)], [(6, 7), (8, 7)]]
    file = write(tmp_path / "rs.dcm", {"organ": [contour(points, 1) for points in drawn]})

    volume, _, notes = read_contours(file, GRID)

    expected = np.zeros(GRID.shape, int)
    expected[1, 1:6, 1:6], expected[1, 3, 3], expected[1, 0, 8], expected[1, 7, 6:9] = 1, 0, 1, 1
    np.testing.assert_array_equal(volume.array, expected)
    assert notes == ()


def test_contours_between_slices_fill_the_nearest_one_and_of_two_planes_the_nearer_counts(tmp_path):
    contours = [contour(BOX, 0.8), contour(HOLE, 1.1), contour(BOX, 3.4)]
    file = write(tmp_path / "rs.dcm", {"organ": contours})

    volume, _, _ = read_contours(file, GRID)

    expected = np.zeros(GRID.shape, int)
    expected[1], expected[3] = slow_mask(HOLE), slow_mask(BOX)
    np.testing.assert_array_equal(volume.array, expected)


def test_of_two_regions_the_later_wins_and_colors_and_names_are_kept(tmp_path):
    regions = {"BODY": [contour(BOX, 0)], "body": [contour(HOLE, 0)], "empty": []}
    file = write(tmp_path / "rs.dcm", regions, colors={"body": [0, 255, 51]})

    volume, table, notes = read_contours(file, GRID)

    assert table == label_table(file)
    assert table.names == ("BODY", "body (2)")
    assert table.structures[1].color == (0.0, 1.0, 0.2)
    np.testing.assert_array_equal(volume.array[0], np.where(slow_mask(HOLE), 2, slow_mask(BOX)))
    assert "4 voxels belong to more than one structure (BODY, body (2))" in notes[0]


def test_contours_outside_across_slices_and_open_ones_are_counted(tmp_path):
    far = [(i + 50, j) for i, j in BOX]
    across = contour(BOX, 1)
    across.ContourData = [
        f"{n:.6g}" for n in GRID.index_to_physical([(1, 1, 0), (5, 1, 2), (5, 5, 3)]).ravel()
    ]
    contours = [
        contour(BOX, 1),
        contour(far, 1),
        contour(BOX, 7),
        across,
        contour(BOX, 1, kind="OPEN_PLANAR"),
    ]
    file = write(tmp_path / "rs.dcm", {"organ": contours, "away": [contour(far, 2)]})

    volume, _, notes = read_contours(file, GRID)

    assert (volume.array == 1).sum() == slow_mask(BOX).sum()
    assert notes == (
        "rs.dcm: 3 of 5 contours of 'organ' fill nothing: they are outside of the image or across its "
        "slices.",
        "rs.dcm: 1 of 5 contours of 'organ' fill nothing: they are open.",
        "rs.dcm: 1 of 1 contours of 'away' fill nothing: they are outside of the image or across its slices.",
    )
    alone = write(tmp_path / "alone.dcm", {"away": [contour(far, 2)]})
    with pytest.raises(BadFile, match=r"No contour of .*alone\.dcm lies in the slices"):
        read_contours(alone, GRID)


def test_contours_in_another_frame_of_reference_fill_nothing_and_points_are_no_structure(tmp_path):
    series = write_series(tmp_path / "mr", 1)
    (case,) = find_cases(tmp_path).cases
    grid = read_geometry(case.images)
    regions = {name: [contour(BOX, 1, grid)] for name in ("here", "there")}
    file = write(
        tmp_path / "rs.dcm",
        {**regions, "isocenter": [contour(BOX[:1], 1, grid, kind="POINT")]},
        series=series[0].SeriesInstanceUID,
    )
    found = pydicom.dcmread(file)
    here, there, _ = found.StructureSetROISequence
    here.ReferencedFrameOfReferenceUID = series[0].FrameOfReferenceUID
    there.ReferencedFrameOfReferenceUID = "1.2.3"
    found.save_as(file)

    read = read_labels(file, image=case.images)

    assert read.table.names == ("here", "there")
    assert set(np.unique(read.volume.array)) == {0, 1}
    assert read.notes == (
        "rs.dcm: 1 of 1 contours of 'there' fill nothing: they are drawn in another frame of reference than "
        "the image.",
    )


def test_contours_fill_their_own_slice_where_others_are_missing(tmp_path):
    write_series(tmp_path / "mr", 1)
    whole = read_geometry([tmp_path / "mr"])
    file = write(tmp_path / "rs.dcm", {"organ": [contour(BOX, 3, whole)]})
    for k in (1, 2):
        (tmp_path / "mr" / f"slice_{k}.dcm").unlink()

    read = read_labels(file, image=[tmp_path / "mr"])

    inside = slow_mask(BOX, SHAPE[1:])
    np.testing.assert_array_equal(read.volume.array, [0 * inside, inside, 0 * inside])


def test_contours_are_the_labels_of_the_series_they_name(tmp_path):
    write_series(tmp_path / "other", 2)
    write_series(tmp_path / "mr", 1)
    case = next(case for case in find_cases(tmp_path).cases if case.name == "mr")
    grid = read_geometry(case.images)
    contours = [contour(HOLE, k, grid) for k in range(SHAPE[0])]
    write(tmp_path / "plan" / "rs.dcm", {"organ": contours}, series="1.2.826.0.1.3680043.2.1125.1")

    found = find_cases(tmp_path)

    assert {c.name: c.labels and c.labels.name for c in found.cases} == {"mr": "rs.dcm", "other": None}
    assert found.left_out == ()
    case = next(case for case in found.cases if case.labels)
    read = read_annotation(case.labels, case)
    np.testing.assert_array_equal(read.volume.array, [slow_mask(HOLE, SHAPE[1:])] * SHAPE[0])
    assert read.volume.geometry == grid
    with pytest.raises(BadFile, match="need the image they were drawn on"):
        read_labels(case.labels)


@pytest.mark.parametrize("part", ["ROIContourSequence", "ContourData"])
def test_a_damaged_file_is_a_sentence(tmp_path, part):
    file = write(tmp_path / "rs.dcm", {"organ": [contour(BOX, 1)]})
    found = pydicom.dcmread(file)
    drawn = found.ROIContourSequence[0].ContourSequence[0]
    delattr(found if part == "ROIContourSequence" else drawn, part)
    found.save_as(file)

    with pytest.raises(BadFile, match=r"rs\.dcm cannot be read as a set of contours"):
        read_contours(file, GRID)
