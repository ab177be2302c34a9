"""DICOM SEG and RTSTRUCT of a hospital are opened for correction: the Python of the jobs reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer

from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.slicer_bridge import annotating, nodes
from ContrastiveSegLib.slicer_bridge.engine import Engine
from Testing.slicer.panel_fixtures import ENGINE_PYTHON, ROOT

# Voxels that the files were made with, k, j and i from and to.
LIVER, SPLEEN = np.s_[1:3, 2:5, 1:4], np.s_[3, 4:6, 3:5]
SQUARE = np.s_[2, 2:5, 1:5]
ENGINE = Engine((str(ENGINE_PYTHON), "-u", "-m", "ContrastiveSegLib"), keeps_environment=False)


@pytest.fixture(scope="module")
def a_hospital(tmp_path_factory) -> Path:
    """A folder with two series, one with segments and one with contours."""
    folder = tmp_path_factory.mktemp("hospital")
    command = [str(ENGINE_PYTHON), "-m", "Testing.slicer.dicom_labels", str(folder)]
    subprocess.run(command, cwd=ROOT, env=ENGINE.environment(), check=True)
    return folder


@pytest.fixture
def a_panel(a_quick_panel, a_hospital, tmp_path, monkeypatch):
    """With that folder, and the real Python of the jobs."""
    monkeypatch.setattr(type(a_quick_panel.panel.logic), "engine", lambda _self: ENGINE)
    a_quick_panel.choose(a_hospital, tmp_path / "run")
    return a_quick_panel


def _drawn(case: str) -> dict[str, np.ndarray]:
    node, volume = annotating.annotation_of(case), nodes.find_volume(case)
    return {name: np.array(mask) > 0 for name, mask in nodes.segment_masks(node, volume)}


def _mask(*places) -> np.ndarray:
    mask = np.zeros((5, 7, 6), bool)
    for place in places:
        mask[place] = True
    return mask


def test_structures_are_named_without_the_packages_that_slicer_lacks(a_panel):
    assert sorted(case.name for case in a_panel.panel.data.reader.cases) == ["drawn", "filled"]
    assert [case.labels.name for case in a_panel.panel.data.reader.cases] == ["rs.dcm", "seg.dcm"]
    assert "liver" in a_panel.panel.data.reader.table.names


def test_segments_are_opened_corrected_and_saved(a_panel, tmp_path):
    node = a_panel.panel.annotate.open("filled")

    assert "highdicom" not in sys.modules
    drawn = _drawn("filled")
    np.testing.assert_array_equal(drawn["liver"], _mask(LIVER))
    np.testing.assert_array_equal(drawn["spleen"], _mask(SPLEEN))
    identity = node.GetSegmentation().GetSegmentIdBySegmentName("spleen")
    volume = nodes.find_volume("filled")
    corrected = _mask(SPLEEN, np.s_[4, 1:3, 1:3]).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(corrected, node, identity, volume)
    a_panel.ui.saveAnnotationButton.click()
    saved = read_labels(tmp_path / "run" / "annotations" / "labels" / "filled.seg.nrrd")
    value = next(s.value for s in saved.table.structures if s.name == "spleen")
    np.testing.assert_array_equal(saved.volume.array == value, corrected > 0)


def test_contours_are_opened_as_filled_segments(a_panel):
    a_panel.panel.annotate.open("drawn")

    np.testing.assert_array_equal(_drawn("drawn")["liver"], _mask(SQUARE))


def test_what_cannot_be_read_is_a_sentence(a_panel, monkeypatch, tmp_path):
    nothing = Engine((str(tmp_path / "python"), "-u"), keeps_environment=False)
    monkeypatch.setattr(type(a_panel.panel.logic), "engine", lambda _self: nothing)

    assert a_panel.panel.annotate.open("filled") is None

    assert "seg.dcm cannot be read by" in a_panel.ui.annotateState.text.replace("\u200b", "")
    assert annotating.annotation_of("filled") is None
