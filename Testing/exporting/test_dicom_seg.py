"""Predictions become DICOM SEG files that highdicom reads: same voxels, UIDs of the series, names, terms."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.evaluation.structure_measures import measure
from ContrastiveSegLib.file_io.files import read_image, read_labels, write_image, write_labels
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.training.prediction_summary import PredictedCase, write_summary
from Testing.file_io.test_dicom_segmentation import SHAPE, write_series

hd = pytest.importorskip("highdicom", reason="highdicom, of the extra [dicom], is not installed")
pydicom = pytest.importorskip("pydicom")

LIVER = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^"
)
TABLE = LabelTable((Structure(4, "liver", (1.0, 0.0, 0.0), LIVER), Structure(2, "lesion", (0.0, 0.0, 1.0))))


@pytest.fixture
def a_run(tmp_path, a_volume):
    """Predictions of an oblique DICOM series and of a NRRD file."""
    write_series(tmp_path / "data" / "exam", 1)
    write_image(tmp_path / "data" / "plain.nrrd", a_volume)
    run = RunFolder(tmp_path / "run")
    run.create()
    predicted = []
    for case in find_cases(tmp_path / "data").cases:
        image = read_image(case.images).volume
        labels, file = Volume(_labels(image.geometry.shape), image.geometry), run.prediction(case.name)
        write_labels(file, labels, TABLE)
        facts = {
            "network": "unet",
            "round": 1,
            "model": "abc",
            "version": "0.1",
            "seconds": 1.0,
            "memory_mb": 1.0,
        }
        found = measure(labels, image, TABLE)
        images = tuple(map(str, case.images))
        predicted.append(
            PredictedCase(case.name, images, str(file), expected_dice=0.5, structures=found, **facts)
        )
    write_summary(run.summary(suffix="json"), run.summary(), [one.to_json() for one in predicted])
    return run


def _labels(shape) -> np.ndarray:
    labels = np.zeros(shape, np.int16)
    labels[1:3, 2:5, 1:4] = 4
    labels[3, 4:6, 3:5] = 2
    return labels


def _export(run, output) -> int:
    return main(["export", str(run.path), "--to", "dicom-seg", "--output", str(output)])


def test_highdicom_reads_the_same_voxels_uids_names_and_terms(a_run, tmp_path, capsys):
    assert _export(a_run, tmp_path / "out") == 0

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["exam.dcm"]
    assert "plain is left out" in capsys.readouterr().err
    found = hd.seg.segread(tmp_path / "out" / "exam.dcm")
    assert (found.PatientID, found.Modality) == ("P1", "SEG")
    referred = found.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == "1.2.826.0.1.3680043.2.1125.1"
    assert len(referred.ReferencedInstanceSequence) == SHAPE[0]
    one = found.get_segment_description(1)
    assert (one.segment_label, one.algorithm_type.value) == ("liver", "AUTOMATIC")
    assert one.segmented_property_type.meaning == "Liver"
    assert one.algorithm_identification[0].AlgorithmName == "ContrastiveSeg"
    whole = found.get_volume(combine_segments=True, relabel=True)
    values, counts = np.unique(whole.array, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {0: whole.array.size - 22, 1: 18, 2: 4}


def test_exported_predictions_are_no_annotations(a_run, tmp_path):
    _export(a_run, tmp_path / "data" / "results")

    found = find_cases(tmp_path / "data")

    assert [case.labels for case in found.cases] == [None, None]
    assert "1 results that nobody changed (predicted), which are no annotations: exam.dcm" in (
        found.left_out[0].reason
    )


def test_exported_predictions_are_labels_of_their_series_again(a_run, tmp_path):
    _export(a_run, tmp_path / "data" / "results")

    case = next(case for case in find_cases(tmp_path / "data", results=True).cases if case.labels)

    read, image = read_labels(case.labels), read_image(case.images).volume
    placed = labels_on_grid(read.volume, image.geometry, name=case.name).volume.array
    np.testing.assert_array_equal(placed, np.array([0, 0, 2, 0, 1])[_labels(SHAPE)])
    assert read.table.names == ("liver", "lesion")
    assert read.table.structures[0].terminology == LIVER
    for found, wanted in zip(read.table.structures, TABLE.structures, strict=True):
        assert found.color == pytest.approx(wanted.color, abs=0.02)


def test_nothing_is_replaced_and_a_run_without_predictions_is_a_sentence(a_run, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "exam.dcm").write_bytes(b"mine")

    assert _export(a_run, tmp_path / "out") == 1
    assert (tmp_path / "out" / "exam.dcm").read_bytes() == b"mine"
    assert "is there already" in capsys.readouterr().err

    empty = RunFolder(tmp_path / "empty")
    empty.create()
    (empty.path / "settings.json").write_text("{}", encoding="utf-8")
    assert _export(empty, tmp_path / "other") == 1
    assert "There are no predictions in" in capsys.readouterr().err


def _changed(folder, change) -> None:
    for file in folder.iterdir():
        source = pydicom.dcmread(file)
        change(source)
        source.save_as(file)


def test_any_name_and_any_term_come_back(a_run, tmp_path):
    terms = LIVER.replace("^Liver", f"^{'very long ' * 9}"), LIVER.replace("SCT^10200004^Liver", "^^")
    table = LabelTable(
        (Structure(4, "Größe \\ 肝臓", (1, 0, 0), terms[0]), Structure(2, "b", (0, 0, 1), terms[1]))
    )
    file = a_run.prediction("exam")
    write_labels(file, read_labels(file).volume, table, overwrite=True)

    assert _export(a_run, tmp_path / "out") == 0

    read = read_labels(tmp_path / "out" / "exam.dcm")
    assert read.table.names == ("Größe / 肝臓", "b")
    assert "~SCT^10200004^very long very long" in read.table.structures[0].terminology
    assert "~SCT^85756007^Tissue~SCT^85756007^Tissue~" in read.table.structures[1].terminology


def test_what_was_removed_from_a_header_stays_empty_and_without_a_space_there_is_a_sentence(
    a_run, tmp_path, capsys
):
    _changed(tmp_path / "data" / "exam", lambda source: delattr(source, "PatientName"))
    assert _export(a_run, tmp_path / "out") == 0
    assert str(hd.seg.segread(tmp_path / "out" / "exam.dcm").PatientName) == ""

    _changed(tmp_path / "data" / "exam", lambda source: delattr(source, "FrameOfReferenceUID"))
    assert _export(a_run, tmp_path / "other") == 1
    assert "exam has no frame of reference (DICOM tag 0020,0052)" in capsys.readouterr().err
