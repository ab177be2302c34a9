"""A segmentation that is written for Slicer keeps names, colors, terminology and place."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume

TERM = "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
GRID = Geometry((4, 5, 6), (0.5, 0.9, 3.0), (4.0, -8.0, 100.0), (0.8, 0, 0.6, 0, 1, 0, -0.6, 0, 0.8))


TABLE = LabelTable(
    (
        Structure(1, "liver", (0.8671875, 0.1, 1 / 3), f"{TERM}~SCT^10200004^Liver~^^~~^^~^^"),
        Structure(7, 'Milz: größer := als | 5 cm \\ "neu"', (0.0, 1.0, 0.0)),
    )
)


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd"])
def test_names_colors_and_terminology_survive(tmp_path, suffix):
    labels = Volume(np.random.default_rng(0).choice([0, 1, 7], GRID.shape).astype(np.int16), GRID)
    path = tmp_path / f"case{suffix}"

    write_labels(path, labels, TABLE)
    read = read_labels(path)

    assert read.table == TABLE
    assert read.notes == ()
    np.testing.assert_array_equal(read.volume.array, labels.array)
    assert read.volume.geometry.matches(GRID)


def test_a_written_file_says_what_slicer_looks_for(tmp_path):
    write_labels(tmp_path / "case.seg.nrrd", Volume(np.ones(GRID.shape, np.int16), GRID), TABLE)

    image = sitk.ReadImage(str(tmp_path / "case.seg.nrrd"))
    header = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}

    assert header["NRRD_space"] == "left-posterior-superior"
    assert header["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert header["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert header["Segment0_ID"] == "Segment_1"
    assert header["Segment0_Extent"] == "0 3 0 4 0 5"
    assert header["Segment0_Tags"] == f"TerminologyEntry:{TABLE.structures[0].terminology}|"
    assert [header[f"Segment1_{key}"] for key in ("LabelValue", "Layer", "Color")] == [
        "7",
        "0",
        "0.0 1.0 0.0",
    ]
    assert image.GetPixelID() == sitk.sitkUInt8


def test_structures_without_voxels_stay_in_the_file(tmp_path):
    write_labels(tmp_path / "case.seg.nrrd", Volume(np.zeros(GRID.shape, np.int16), GRID), TABLE)

    read = read_labels(tmp_path / "case.seg.nrrd")

    assert read.table == TABLE
    assert read.notes == ("case.seg.nrrd: all voxels are background.",)
