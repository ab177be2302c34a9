"""DICOM SEG and dcmqi, the reader and writer of 3D Slicer and the Imaging Data Commons: the same voxels."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.volume import Volume
from Testing.exporting.foreign import FOREIGN, needs_foreign
from Testing.exporting.test_dicom_seg import _export, _labels, a_run
from Testing.file_io.test_dicom_segmentation import SHAPE, write_series

__all__ = ["a_run"]
ORGAN = {"CodeValue": "123037004", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Anatomical Structure"}
LIVER = {"CodeValue": "10200004", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Liver"}
SPLEEN = {"CodeValue": "78961009", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Spleen"}
pytestmark = needs_foreign


def _dcmqi(program: str, **options: Path | str) -> None:
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [str(FOREIGN.parent / program), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]


def test_dcmqi_reads_the_voxels_names_and_terms_of_an_exported_prediction(a_run, tmp_path):
    assert _export(a_run, tmp_path / "out") == 0
    (tmp_path / "read").mkdir()

    _dcmqi(
        "segimage2itkimage",
        inputDICOM=tmp_path / "out" / "exam.dcm",
        outputDirectory=tmp_path / "read",
        outputType="nrrd",
    )

    grid = read_image([tmp_path / "data" / "exam"]).volume.geometry
    for number, value in ((1, 4), (2, 2)):
        read = Volume.from_sitk(sitk.ReadImage(str(tmp_path / "read" / f"{number}.nrrd")))
        placed = labels_on_grid(read, grid, name="exam").volume.array
        np.testing.assert_array_equal(placed > 0, _labels(SHAPE) == value)
    said = json.loads((tmp_path / "read" / "meta.json").read_text(encoding="utf-8"))
    segments = [segment for group in said["segmentAttributes"] for segment in group]
    assert [one["SegmentLabel"] for one in segments] == ["liver", "lesion"]
    assert segments[0]["SegmentedPropertyTypeCodeSequence"] == LIVER
    assert [one["SegmentAlgorithmName"] for one in segments] == ["ContrastiveSeg"] * 2


def test_what_dcmqi_writes_lies_on_the_voxels_of_its_series(tmp_path):
    write_series(tmp_path / "data" / "exam", 1)
    (case,) = find_cases(tmp_path / "data").cases
    grid = read_image(case.images).volume.geometry
    drawn = _labels(SHAPE)
    files, segments = [], []
    for number, (value, kind) in enumerate(((4, LIVER), (2, SPLEEN)), start=1):
        files.append(tmp_path / f"{number}.nrrd")
        sitk.WriteImage(Volume((drawn == value).astype(np.uint8), grid).to_sitk(), str(files[-1]))
        entry = {"labelID": 1, "SegmentLabel": kind["CodeMeaning"], "SegmentAlgorithmType": "MANUAL"}
        codes = {"SegmentedPropertyCategoryCodeSequence": ORGAN, "SegmentedPropertyTypeCodeSequence": kind}
        segments.append([{**entry, **codes, "recommendedDisplayRGBValue": [221, 130, 101]}])
    said = {"ContentCreatorName": "A", "ClinicalTrialSeriesID": "1", "ClinicalTrialTimePointID": "1"}
    said |= {"SeriesDescription": "Segmentation", "SeriesNumber": "300", "InstanceNumber": "1"}
    (tmp_path / "meta.json").write_text(json.dumps({**said, "segmentAttributes": segments}))

    _dcmqi(
        "itkimage2segimage",
        inputImageList=",".join(map(str, files)),
        inputDICOMDirectory=tmp_path / "data" / "exam",
        inputMetadata=tmp_path / "meta.json",
        outputDICOM=tmp_path / "data" / "seg.dcm",
    )

    (case,) = find_cases(tmp_path / "data").cases
    read = read_labels(case.labels, image=case.images)
    placed = labels_on_grid(read.volume, grid, name=case.name).volume.array
    np.testing.assert_array_equal(placed, np.array([0, 0, 2, 0, 1])[drawn])
    assert read.table.names == ("Liver", "Spleen")
    assert read.table.structures[0].color == pytest.approx((221 / 255, 130 / 255, 101 / 255), abs=0.02)
    assert "SCT^10200004^Liver" in read.table.structures[0].terminology
