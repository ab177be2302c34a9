"""What takes a moment is announced by a line and a cursor that waits; both go, also after errors."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from PySide6.QtWidgets import QApplication

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.slicer_bridge import annotating, nodes, predictions

CASE, OTHER = "phantom_003", "phantom_004"


@pytest.fixture
def a_panel(a_quick_panel, phantoms, a_learned_run):
    """With a trained run in which all is predicted."""
    a_quick_panel.choose(phantoms, a_learned_run)
    a_quick_panel.type(a_quick_panel.ui.structures, "bright, middle")
    return a_quick_panel


@pytest.fixture
def watched(monkeypatch):
    """Replaces a function by one that writes down cursor and line of the window while it works."""
    seen = []

    def watch(owner, name, label, fails=None):
        real = getattr(owner, name)

        def slow(*words, **named):
            cursor = QApplication.overrideCursor()
            seen.append((cursor is not None, label.property("state"), label.text))
            if fails is not None:
                raise fails
            return real(*words, **named)

        monkeypatch.setattr(owner, name, slow)
        return seen

    return watch


def _paint(case):
    node, volume = annotating.annotation_of(case), nodes.find_volume(case)
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[4, 10:20, 10:20] = 1
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)


def _said(seen, words):
    """The cursor waited, and the line said it was at work, at each of the calls."""
    assert seen
    for isWaiting, state, text in seen:
        assert isWaiting
        assert state == "working"
        assert words in text
    assert QApplication.overrideCursor() is None
    return True


def test_opening_and_saving_an_annotation_are_announced(a_panel, watched):
    ui, annotate = a_panel.ui, a_panel.panel.annotate
    opening = watched(nodes, "add_volume", ui.dataState)
    a_panel.panel.data.load(CASE)
    assert _said(opening, f"opening {CASE}")

    opening.clear()
    watched(annotating, "begin_annotation", ui.annotateState)
    annotate.open(CASE)
    assert _said(opening, f"opening {CASE} for annotation")
    _paint(CASE)

    opening.clear()
    watched(annotating, "save_annotation", ui.annotateState)
    ui.saveAnnotationButton.click()
    assert _said(opening, f"saving the annotation of {CASE}")
    assert a_panel.state("annotate") == "done"


def test_showing_a_result_its_volumes_and_its_uncertainty_is_announced(a_panel, watched):
    ui, volume = a_panel.ui, a_panel.panel.data.load(CASE)
    seen = watched(predictions, "load_prediction", ui.predictState)
    a_panel.panel.predict.showResult(CASE, volume)
    assert _said(seen, f"showing {CASE} predicted (round 1)")

    seen.clear()
    watched(predictions, "volumes_ml", ui.predictState)
    a_panel.panel.predict.showResult(OTHER, a_panel.panel.data.load(OTHER))
    assert _said(seen[1:], f"measuring the volumes of {OTHER}")

    seen.clear()
    watched(predictions, "load_uncertainty", ui.predictState)
    ui.showUncertainty.click()
    assert _said(seen, "uncertainty")
    assert a_panel.state("predict") == "done"


def test_an_error_gives_the_cursor_back_and_says_what_went_wrong(a_panel, watched):
    seen = watched(
        annotating, "begin_annotation", a_panel.ui.annotateState, fails=BadFile("It is torn.", "Mend it.")
    )

    assert a_panel.panel.annotate.open(CASE) is None

    assert _said(seen, f"opening {CASE} for annotation")
    assert a_panel.state("annotate") == "failed"
    assert "It is torn." in a_panel.ui.annotateState.text


def test_a_fault_nobody_expected_gives_cursor_and_line_back_too(a_panel, watched):
    before = a_panel.ui.annotateState.text
    watched(annotating, "begin_annotation", a_panel.ui.annotateState, fails=ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        a_panel.panel.annotate.open(CASE)

    assert QApplication.overrideCursor() is None
    assert a_panel.ui.annotateState.text == before


def test_drawing_sample_data_is_announced(a_quick_panel, watched, tmp_path, monkeypatch):
    from ContrastiveSegPanel import sample_data

    monkeypatch.setattr(sample_data, "UNLABELED", 0)
    slicer.app.userSettings().setValue("ContrastiveSeg/RunsFolder", str(tmp_path))
    seen = watched(sample_data, "write_phantom_folder", a_quick_panel.ui.dataState)

    sample_data.make(a_quick_panel.logic)

    assert _said(seen, "drawing phantoms")


def test_surfaces_of_a_large_volume_are_made_on_request(a_panel, watched, monkeypatch):
    ui, button = a_panel.ui, a_panel.ui.show3DButton
    assert button.toolTip == "Show a prediction first."
    monkeypatch.setattr(predictions, "QUICK_VOXELS", 1000)
    node = a_panel.panel.predict.showResult(CASE, a_panel.panel.data.load(CASE))
    assert not predictions.has_surfaces(node)
    assert button.enabled

    seen = watched(predictions, "show_in_3d", ui.predictState)
    button.click()

    assert _said(seen, f"making the surfaces of {CASE} predicted (round 1)")
    assert predictions.has_surfaces(node)
    assert not button.enabled
    assert button.toolTip == "It is shown in 3D already."
    assert slicer.app.layoutManager().threeDViewCount == 1


def test_surfaces_of_a_small_volume_are_made_at_once(a_panel):
    node = a_panel.panel.predict.showResult(CASE, a_panel.panel.data.load(CASE))

    assert predictions.has_surfaces(node)
    assert not a_panel.ui.show3DButton.enabled


def test_a_large_propagated_volume_has_a_button_of_its_own(a_panel, a_learned_run, monkeypatch):
    monkeypatch.setattr(predictions, "QUICK_VOXELS", 1000)
    source = a_learned_run / "predictions" / f"{CASE}.seg.nrrd"
    target = a_learned_run / "panel" / "propagated" / source.name
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    node = a_panel.panel.propagation.showResult(target)
    a_panel.panel.refresh()
    assert not predictions.has_surfaces(node)

    a_panel.ui.propagated3DButton.click()

    assert predictions.has_surfaces(node)
