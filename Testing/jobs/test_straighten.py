"""Tilted series: their labels lie on their slices, and `straighten` moves both to where they were taken."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels, write_image, write_labels
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from Testing.file_io.test_dicom_contours import contour, slow_mask
from Testing.file_io.test_dicom_contours import write as write_contours
from Testing.file_io.test_dicom_segmentation import (
    LIVER,
    SHAPE,
    SPLEEN,
    _segment,
    _write_seg,
    hd,
    pydicom,
    write_series,
)

TABLE = LabelTable((Structure(4, "liver", (1.0, 0.0, 0.0)),))
DRIFT = 1.5  # mm from slice to slice, which are one pixel


@pytest.fixture
def a_tilted_series(tmp_path):
    """Its data sets; the slices of a MR that stray along their columns."""
    sources = write_series(tmp_path / "data" / "exam", 1)
    for k, source in enumerate(sources):
        column = np.array(source.ImageOrientationPatient[3:], float)
        place = np.array(source.ImagePositionPatient, float) + DRIFT * k * column
        source.ImagePositionPatient = [f"{number:.4f}" for number in place]
        source.save_as(tmp_path / "data" / "exam" / f"slice_{k}.dcm")
    return sources


def _masks() -> np.ndarray:
    masks = np.zeros((*SHAPE, 2), np.uint8)
    masks[1:3, 2:5, 1:4, 0] = 1
    masks[3, 4:6, 3:5, 1] = 1
    return masks


def _straighten(tmp_path) -> int:
    return main(["straighten", str(tmp_path / "data"), "--output", str(tmp_path / "straight")])


@pytest.mark.usefixtures("a_tilted_series")
def test_the_note_says_how_slices_are_moved_to_their_places(tmp_path):
    (note,) = read_image([tmp_path / "data" / "exam"]).notes

    assert "6.0 mm from the first to the last" in note
    assert "`python -m ContrastiveSegLib straighten FOLDER --output NEW_FOLDER`" in note


def test_segments_lie_on_the_slices_that_they_were_drawn_on(tmp_path, a_tilted_series):
    masks = _masks()
    segments = [_segment(1, "liver", LIVER), _segment(2, "spleen", SPLEEN)]
    _write_seg(tmp_path / "data" / "seg.dcm", a_tilted_series, masks, segments)
    (case,) = find_cases(tmp_path / "data").cases

    read = read_labels(case.labels, image=case.images)

    np.testing.assert_array_equal(read.volume.array, masks[..., 0] + 2 * masks[..., 1])
    assert read.volume.geometry.matches(read_image(case.images).volume.geometry)


@pytest.mark.parametrize("names_others", [True, False])
def test_segments_that_name_no_slice_of_a_tilted_series_are_not_taken_for_empty(
    tmp_path, a_tilted_series, names_others
):
    file = tmp_path / "data" / "seg.dcm"
    masks = _masks()[..., :1]
    _write_seg(file, a_tilted_series, masks, [_segment(1, "liver", LIVER)])
    written = pydicom.dcmread(file)
    for frame in written.PerFrameFunctionalGroupsSequence:
        if names_others:
            frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = hd.UID()
        else:
            del frame.DerivationImageSequence
    written.save_as(file)

    read, reason = attempt("exam", read_labels, file, image=(tmp_path / "data" / "exam",))
    assert read is None
    assert "seg.dcm cannot be read as a DICOM segmentation (Frame positions" in reason


def test_contours_lie_on_the_slices_that_they_were_drawn_on(tmp_path, a_tilted_series):
    square = [(0.6, 1.6), (4.4, 1.6), (4.4, 4.4), (0.6, 4.4)]
    drawn = contour(square, 0)
    source = a_tilted_series[4]
    row, column = np.array(source.ImageOrientationPatient, float).reshape(2, 3)
    origin = np.array(source.ImagePositionPatient, float)
    places = [origin + 1.25 * i * row + 1.5 * j * column for i, j in square]
    drawn.ContourData = [f"{number:.5g}" for number in np.ravel(places)]
    file = write_contours(tmp_path / "data" / "rs.dcm", {"organ": [drawn]}, series=source.SeriesInstanceUID)

    read = read_labels(file, image=(tmp_path / "data" / "exam",))

    expected = np.zeros(SHAPE, int)
    expected[4] = slow_mask(square, SHAPE[1:])
    np.testing.assert_array_equal(read.volume.array, expected)


def test_series_and_segments_are_moved_together(tmp_path, a_tilted_series, a_volume, capsys):
    masks = _masks()
    _write_seg(tmp_path / "data" / "seg.dcm", a_tilted_series, masks[..., :1], [_segment(1, "liver", LIVER)])
    write_image(tmp_path / "data" / "plain.nrrd", a_volume)

    assert _straighten(tmp_path) == 0

    assert "1 of 2 cases had a tilted gantry" in capsys.readouterr().out
    (case,) = find_cases(tmp_path / "straight").cases
    image, labels = read_image(case.images), read_labels(case.labels)
    assert [file.name for file in (*case.images, case.labels)] == ["exam.nii.gz", "exam.seg.nrrd"]
    assert case.images[0].parent.name == "P1"
    assert image.notes == ()
    before = read_image([tmp_path / "data" / "exam"]).volume.array[0]
    for k in range(SHAPE[0]):
        np.testing.assert_allclose(image.volume.array[0, k, k : k + 7], before[k], atol=1e-3)
        np.testing.assert_array_equal(labels.volume.array[k, k : k + 7], masks[k, ..., 0])
    first = image.volume.geometry.index_to_physical((0, 3, 3))
    np.testing.assert_allclose(first, np.array(a_tilted_series[3].ImagePositionPatient, float), atol=1e-3)
    assert image.volume.geometry.spacing[2] == pytest.approx(3.0, abs=1e-3)


@pytest.mark.usefixtures("a_tilted_series")
def test_painted_background_and_ignored_voxels_move_too(tmp_path):
    image = read_image([tmp_path / "data" / "exam"]).volume
    array = np.zeros(SHAPE, np.int16)
    array[2, 1:3], array[2, 3:5], array[2, 5:6] = 4, 5, 6
    others = (Structure(5, "background", (0, 0, 0)), Structure(6, "ignore", (0, 1, 0)))
    table = LabelTable((*TABLE.structures, *others))
    write_labels(tmp_path / "data" / "exam.seg.nrrd", Volume(array, image.geometry), table)

    assert _straighten(tmp_path) == 0

    read = read_labels(next((tmp_path / "straight").rglob("*.seg.nrrd")))
    assert (read.volume.array == 4).sum() == 12
    assert (read.background.sum(), read.unknown.sum()) == (12, 6)


@pytest.mark.usefixtures("a_tilted_series")
def test_scribbles_stay_scribbles(tmp_path):
    image = read_image([tmp_path / "data" / "exam"]).volume
    strokes = np.where(np.arange(SHAPE[0]) < 3, 4, 0)[:, None, None] * (np.indices(SHAPE[1:])[0] == 2)
    write_labels(tmp_path / "data" / "exam_scribbles.seg.nrrd", Volume(strokes, image.geometry), TABLE)

    assert _straighten(tmp_path) == 0

    (case,) = find_cases(tmp_path / "straight").cases
    assert case.labels is None
    assert case.scribbles is not None


def test_without_a_tilted_series_nothing_is_written(tmp_path, a_volume, capsys):
    write_image(tmp_path / "data" / "plain.nrrd", a_volume)

    assert _straighten(tmp_path) == 1

    assert "None of the 1 cases has a tilted gantry. Use them as they are." in capsys.readouterr().err
    assert not (tmp_path / "straight").exists()


def test_a_prediction_of_a_tilted_series_has_the_places_of_its_slices(tmp_path, a_tilted_series):
    from ContrastiveSegLib.exporting.dicom_seg import _made
    from ContrastiveSegLib.file_io.label_meanings import ReadLabels

    image = read_image([tmp_path / "data" / "exam"]).volume
    labels = 4 * _masks()[..., 0].astype(np.int16)

    made = _made(hd, a_tilted_series, ReadLabels(Volume(labels, image.geometry), TABLE), is_askew=True)

    made.save_as(tmp_path / "data" / "seg.dcm")
    read = read_labels(tmp_path / "data" / "seg.dcm", image=(tmp_path / "data" / "exam",))
    np.testing.assert_array_equal(read.volume.array, labels // 4)
    frame = made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
    assert [*frame] in [[*source.ImagePositionPatient] for source in a_tilted_series]


def test_a_file_in_place_of_the_output_folder_is_refused(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "straight").write_text("")

    assert _straighten(tmp_path) == 1
    assert "straight is a file, not a folder. Choose a folder." in capsys.readouterr().err
