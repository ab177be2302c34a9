"""DICOM labels that the Python of the jobs reads reach Slicer as segments, or the reason why not does."""

from __future__ import annotations

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_labels import label_table
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.slicer_bridge.engine import Engine
from ContrastiveSegLib.slicer_bridge.label_conversion import readable_by_slicer
from Testing.file_io.test_dicom_segmentation import LIVER, SHAPE, SPLEEN, _segment, _write_seg, write_series


@pytest.fixture
def a_case(tmp_path):
    """A series with a segmentation of a structure and of what is to be ignored."""
    masks = np.zeros((*SHAPE, 2), np.uint8)
    masks[1, 2:5, 1:4, 0] = 1
    masks[3, 4:6, 3:5, 1] = 1
    segments = [_segment(1, "liver", LIVER), _segment(2, "ignore", SPLEEN)]
    _write_seg(tmp_path / "seg.dcm", write_series(tmp_path / "mr", 1), masks, segments)
    return find_cases(tmp_path).cases[0]


def test_segments_and_ignored_voxels_come_through_and_the_file_goes_again(a_case):
    with readable_by_slicer(a_case.labels, a_case, Engine.own()) as file:
        read = read_labels(file)
        assert file.name == "mr.seg.nrrd"

    assert read.table.names == ("liver",)
    assert (np.count_nonzero(read.volume.array), np.count_nonzero(read.unknown)) == (9, 4)
    assert not file.exists()


def test_the_names_are_known_without_reading_the_voxels(a_case):
    assert label_table(a_case.labels).names == ("liver", "ignore")


def test_other_files_are_read_as_they_are(a_case, tmp_path):
    with readable_by_slicer(tmp_path / "a.seg.nrrd", a_case, Engine(("no program",))) as file:
        assert file == tmp_path / "a.seg.nrrd"


def test_why_labels_cannot_be_read_is_said_as_the_jobs_say_it(a_case):
    a_case.labels.write_bytes(a_case.labels.read_bytes()[:2000])

    with (
        pytest.raises(BadFile, match=r"seg\.dcm has a damaged header: .* Copy or export"),
        readable_by_slicer(a_case.labels, a_case, Engine.own()),
    ):
        pass
