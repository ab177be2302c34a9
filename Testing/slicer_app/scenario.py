"""A new user's way through all steps, in two sessions; the same file drives Slicer and the Slicer for tests.

Only the API that both have is used. Each step is a function that does what a user does and asserts what a
user would look for; `play` does them one after the other and takes a picture after each.
"""

import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import slicer

STRUCTURES = "liver, heart wall"
WIDEST = 330  # pixels that the module panel has when Slicer starts


def first_session():
    """The steps until Slicer is closed."""
    return (
        open_the_panel,
        take_sample_data,
        choose_a_run_folder,
        pretrain,
        annotate_some_slices,
        propagate_a_slice,
        finetune,
        predict_a_volume,
        show_the_uncertainty,
        refine_the_prediction,
        show_curves_and_hide_them,
    )


def second_session():
    """The steps after Slicer was started again."""
    return open_the_panel_again, show_a_prediction_again


def play(user, steps) -> None:
    """Do the steps, with a picture after each."""
    for step in steps:
        step(user)
        user.photo(step.__name__)


def compare(facts, expected: Path) -> None:
    """Hold what was found against what every Slicer must find."""
    known = json.loads(expected.read_text(encoding="utf-8"))
    for name, value in facts.items():
        assert value == known[name], f"{name}: found {value}, expected {known[name]}"


def use_stand_in(user) -> None:
    """Let jobs be done by the self test's engine, which needs no PyTorch."""
    sys.path.insert(0, str(Path(slicer.modules.contrastiveseg.path).parent / "Testing" / "Python"))
    from ContrastiveSegSelfTest.story import standIn

    user.widget.logic.engine = standIn
    user.widget.panel.setup.whyNoJobs = lambda: ""
    user.widget.panel.refresh()


def open_the_panel(user) -> None:
    """The panel is whole, each step says its state, and it fits the width that Slicer gives it."""
    user.enter()
    assert getattr(user.widget, "panel", None) is not None, "setup() did not come to its end"
    states = {step: user.state(step) for step in ("data", "pretrain", "annotate", "finetune", "predict")}
    assert set(states.values()) == {"missing"}, states
    for step in ("setup", *states):
        user.unfold(step)
        assert _width(user) <= WIDEST, f"{step} asks for {_width(user)} pixels"
    use_stand_in(user)


def take_sample_data(user) -> None:
    """A click in Sample Data draws phantoms, and the panel takes their folder."""
    from ContrastiveSegPanel import sample_data

    slicer.app.userSettings().setValue("ContrastiveSeg/RunsFolder", str(user.folder / "runs"))
    (source,) = slicer.modules.sampleDataSources["ContrastiveSeg"]
    with mock.patch.multiple(sample_data, UNLABELED=1, LABELED=2, TEST=1):
        source.customDownloader(source)
    user.wait(lambda: _is_read(user), 60, "the cases of the sample data")
    user.unfold("data")
    table = user.ui.caseTable
    names = sorted(table.item(row, 0).text() for row in range(table.rowCount))
    user.note(cases=names)
    assert len(names) == 4, names
    assert _background() is not None, "no case is shown"


def choose_a_run_folder(user) -> None:
    """The user names a run folder; what is learned goes there."""
    user.ui.runFolder.currentPath = str(user.folder / "runs" / "scenario")
    user.wait(lambda: user.widget.panel.run is not None, 10, "the run folder")
    assert user.state("data") == "done", user.ui.dataState.text
    assert user.state("pretrain") == "ready", user.ui.pretrainState.text


def pretrain(user) -> None:
    """Pre-training runs, and its curve is drawn while it does."""
    user.unfold("pretrain")
    user.child("pretraining_steps").text = "8"
    user.job("pretrain")
    assert user.state("pretrain") == "done", user.ui.pretrainState.text
    manager = slicer.app.layoutManager()
    assert manager.plotViewCount == 1, "the chart is not in the layout"
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    table = chart.GetNthPlotSeriesNode(0).GetTableNode()
    user.note(series=chart.GetNumberOfPlotSeriesNodes())
    assert table.GetTable().GetNumberOfRows() == 8


def annotate_some_slices(user) -> None:
    """A case is opened in the Segment Editor, two slices are painted, and saved in the run."""
    user.unfold("annotate")
    user.ui.structures.text = STRUCTURES
    user.widget.panel.annotate.onStructures()
    user.ui.caseTable.setCurrentCell(0, 0)
    user.click(user.ui.annotateButton)
    assert slicer.util.selectedModule() == "SegmentEditor"
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    node, volume = editor.segmentationNode(), editor.sourceVolumeNode()
    _paint(node, volume)
    user.look()
    slicer.util.selectModule("ContrastiveSeg")
    user.ui.annotationKind.currentIndex = 0
    user.click(user.ui.saveAnnotationButton)
    assert user.state("annotate") == "done", user.ui.annotateState.text
    assert "some slices: 1" in user.ui.annotationCounts.text, user.ui.annotationCounts.text


def propagate_a_slice(user) -> None:
    """The shown slice is carried through the volume and accepted as an annotation of the whole volume."""
    weights = user.folder / "weights.pth"
    weights.write_bytes(b"the stand-in does not read them")
    user.ui.propagateBox.collapsed = False
    user.ui.propagateCheckpoint.currentPath = str(weights)
    _jump(user, _painted(user)[0])
    user.job("propagate")
    before = len(_segmentations())
    user.click(user.ui.acceptButton)
    slicer.util.selectModule("ContrastiveSeg")
    assert len(_segmentations()) >= before
    user.click(user.ui.saveAnnotationButton)
    assert "whole: 1" in user.ui.annotationCounts.text, user.ui.annotationCounts.text


def finetune(user) -> None:
    """Fine-tuning learns from the saved annotation and says how good it is, or that nothing tells."""
    user.unfold("finetune")
    user.job("finetune")
    assert user.state("finetune") == "done", user.ui.finetuneState.text
    assert "held" in user.ui.finetuneState.text, user.ui.finetuneState.text


def predict_a_volume(user) -> None:
    """A volume is segmented into a new node, voxel for voxel what is in the run folder."""
    from ContrastiveSegLib.file_io.files import read_labels

    user.unfold("predict")
    user.double_click(user.ui.caseTable, 1)
    volume = _background()
    user.ui.inputVolume.setCurrentNode(volume)
    user.job("predict")
    assert user.state("predict") == "done", user.ui.predictState.text
    node = user.widget.panel.predict
    assert node.isShown(), user.ui.predictState.text
    shown = slicer.mrmlScene.GetNodeByID(node.segmentationID)
    expected = read_labels(user.widget.panel.run.prediction(volume.GetName()))
    amounts = {}
    for structure in expected.table.structures:
        identity = shown.GetSegmentation().GetSegmentIdBySegmentName(structure.name)
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(shown, identity, volume) > 0
        assert np.array_equal(mask, expected.volume.array == structure.value), structure.name
        amounts[structure.name] = int(mask.sum())
    user.note(voxels=amounts)
    assert slicer.app.layoutManager().threeDViewCount >= 1, "a result in 3D needs a 3D view"


def show_the_uncertainty(user) -> None:
    """The map lies over the volume, and is taken away again."""
    user.ui.showUncertainty.click()
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetForegroundVolumeID(), "no overlay"
    user.photo("uncertainty")
    user.ui.showUncertainty.click()
    assert not composite.GetForegroundVolumeID(), "the overlay stays"


def refine_the_prediction(user) -> None:
    """A second segmentation appears; the prediction stays in the run folder."""
    user.ui.refineBox.collapsed = False
    user.ui.refineCheckpoint.currentPath = str(user.folder / "weights.pth")
    names = {node.GetName() for node in _segmentations()}
    user.job("refine")
    new = {node.GetName() for node in _segmentations()} - names
    assert any("refined" in name for name in new), new
    assert "outlines were refined" in user.child("refineLine").text


def show_curves_and_hide_them(user) -> None:
    """The chart can be brought back at any time, and gives its place back."""
    user.unfold("pretrain")
    manager = slicer.app.layoutManager()
    user.child("pretrainCurves").setChecked(True)
    assert manager.plotViewCount == 1
    user.photo("curves")
    user.child("pretrainCurves").setChecked(False)
    assert manager.threeDViewCount >= 1, "no 3D view came back"


def open_the_panel_again(user) -> None:
    """After a restart the last run is open, with everything that was done in it."""
    user.enter()
    use_stand_in(user)
    states = {step: user.state(step) for step in ("pretrain", "annotate", "finetune", "predict")}
    assert set(states.values()) == {"done"}, states
    assert Path(user.ui.runFolder.currentPath) == user.folder / "runs" / "scenario"


def show_a_prediction_again(user) -> None:
    """A prediction of the last session is shown with its volume."""
    user.wait(lambda: _is_read(user), 60, "the cases of the data folder")
    user.unfold("predict")
    user.double_click(user.ui.predictionTable, 0)
    assert user.widget.panel.predict.isShown(), user.ui.predictState.text
    assert _background() is not None


def _is_read(user) -> bool:
    reader = user.widget.panel.data.reader
    return bool(reader.cases) and not reader.isReading


def _width(user) -> int:
    whole = user.widget.uiWidget
    return max(whole.layout().minimumSize().width(), whole.minimumWidth)


def _background():
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    identity = composite.GetBackgroundVolumeID()
    return slicer.mrmlScene.GetNodeByID(identity) if identity else None


def _segmentations() -> list:
    return list(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))


def _paint(node, volume) -> None:
    """What a brush would leave: a square of each structure in one slice, side by side."""
    shape = slicer.util.arrayFromVolume(volume).shape
    for number, identity in enumerate(node.GetSegmentation().GetSegmentIDs()):
        mask = np.zeros(shape, np.uint8)
        mask[shape[0] // 2, 10:20, 10 + 15 * number : 20 + 15 * number] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)


def _painted(user) -> tuple:
    from ContrastiveSegLib.slicer_bridge import annotating, nodes

    case, axis = user.widget.panel.annotate.case, 2
    return annotating.amount(annotating.annotation_of(case), nodes.find_volume(case), axis=axis).painted


def _jump(user, index: int) -> None:
    from ContrastiveSegLib.slicer_bridge import nodes

    volume = nodes.find_volume(user.widget.panel.annotate.case)
    center = [(n - 1) / 2 for n in volume.GetImageData().GetDimensions()]
    center[2] = index
    nodes.jump_to(volume, tuple(center))
    user.look()
