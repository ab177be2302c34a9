"""Take the pictures of the tutorial: the panel under the test host, on phantoms, with real jobs.

.venv-slicer/bin/python -m Testing.slicer.take_screenshots [FOLDER [PICTURE ...]]

FOLDER keeps data and run, so that a second call only takes the pictures again, all or those named.
Views are rendered by Slicer's own displayable managers; windows are those of the host.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "Resources" / "Screenshots"
WINDOW_SIZE = (1500, 1040)
SHOWN = "phantom_010"
COARSE = {
    "grid_spacing": "2.5",
    "grid_patch": "64 64",
    "base_channels": "16",
}  # as the demo, for any computer
WANTED = sys.argv[2:]


def _only(panel, *steps: str) -> None:
    """Unfold some steps and fold the others."""
    for step in ("setup", "data", "pretrain", "annotate", "finetune", "predict", "evaluate"):
        panel.child(f"{step}Step").collapsed = step not in steps
    panel.slicer.process_events()


def _is_wanted(*names: str) -> bool:
    """Whether one of these pictures was asked for."""
    return not WANTED or bool(set(names) & set(WANTED))


def _shoot(panel, name: str) -> None:
    """The whole window: panel and views."""
    if not _is_wanted(name):
        return
    window = panel.slicer.main_window
    window.resize(*WINDOW_SIZE)
    path = OUTPUT / f"{name}.png"
    panel.slicer.photograph(window, path)
    Image.open(path).convert("RGB").save(path, optimize=True)  # Qt leaves a fifth of the bytes unsaved


def _show_lowest(panel, widget) -> None:
    """Scroll down, so that the lowest part of a step is seen."""
    from PySide6.QtWidgets import QScrollArea

    area = next(a for a in panel.slicer.main_window.findChildren(QScrollArea) if a.isAncestorOf(widget))
    panel.slicer.main_window.resize(*WINDOW_SIZE)
    panel.slicer.process_events()
    area.ensureWidgetVisible(widget)


def _fill_in(panel, name: str, **settings: str) -> None:
    """What a user types into the form of a step."""
    for key, text in settings.items():
        panel.child(f"{name}_{key}").text = text


def _train(panel, name: str, **settings: str) -> None:
    """Fill in the form and press Start; what is finished already stays."""
    _fill_in(panel, name, **settings)
    button = {"pretraining": "pretrain", "finetuning": "finetune"}[name]
    if panel.state(button) != "done":
        panel.child(f"{button}Start").click()
        panel.wait(lambda: not panel.panel.monitor.isBusy, 3000)


def _some_slices(panel, case: str, *, drawn: tuple[int, ...], shown: int) -> None:
    """What a person would have drawn after a while: a few slices, one of them marked, and saved."""
    import slicer

    node = panel.panel.annotate.open(case, index=shown)
    volume = slicer.util.getModuleWidget("SegmentEditor").editor.sourceVolumeNode()
    for identity in node.GetSegmentation().GetSegmentIDs():
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume)
        kept = np.zeros_like(mask)
        kept[list(drawn)] = mask[list(drawn)]
        slicer.util.updateSegmentBinaryLabelmapFromArray(kept, node, identity, volume)
    slicer.util.selectModule("ContrastiveSeg")
    panel.ui.annotationKind.currentIndex = 0
    panel.ui.completeButton.click()
    panel.ui.saveAnnotationButton.click()
    node.CreateClosedSurfaceRepresentation()
    slicer.util.resetThreeDViews()


def _richest_slice(labels: Path) -> int:
    """The slice with the most structures."""
    from ContrastiveSegLib.file_io.files import read_labels

    array = read_labels(labels).volume.array
    return int(np.argmax([len(np.unique(k)) + (k > 0).mean() for k in array]))


def main(folder: Path) -> None:
    """The pictures, in the order of the tutorial."""
    os.environ.setdefault("CONTRASTIVESEG_ENGINE_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
    sys.path.insert(0, str(ROOT))
    from Testing.slicer_host.fixtures import SlicerForTests
    from Testing.slicer_host.host import start

    host = start()
    import slicer

    from Testing.slicer.panel_fixtures import MODULE, PanelInTest

    in_test = SlicerForTests(host)
    panel = PanelInTest(in_test, in_test.open_panel(MODULE))
    from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
    from ContrastiveSegLib.slicer_bridge import nodes

    data = folder / "phantoms"
    if not data.is_dir():
        write_phantom_folder(data, PhantomCounts(unlabeled=6, labeled=8, test=4), shape=(24, 112, 112))
    panel.slicer.main_window.resize(*WINDOW_SIZE)
    panel.choose(data, folder / "runs" / "2026-11-21_phantoms")
    if _is_wanted("data"):
        panel.ui.checkButton.click()
        panel.wait(lambda: not panel.panel.monitor.isBusy, 300)

    _only(panel, "setup", "data")
    panel.panel.data.load(SHOWN)
    _only(panel, "setup", "data")
    _shoot(panel, "data")

    _only(panel, "pretrain")
    _train(panel, "pretraining", steps="150", **COARSE)
    panel.panel.refresh()
    panel.child("pretrainCurves").setChecked(True)
    _shoot(panel, "curves")

    _only(panel, "annotate")
    panel.type(panel.ui.structures, "liver, heart wall, heart cavity, kidneys, pancreas")
    if _is_wanted("suggestions", "annotate"):
        panel.child("suggestStart").click()
        panel.wait(lambda: not panel.panel.monitor.isBusy, 600)
    panel.child("pretrainCurves").setChecked(False)
    _only(panel, "annotate")
    _shoot(panel, "suggestions")
    _some_slices(panel, "phantom_001", drawn=(5, 9, 13), shown=9)
    _only(panel, "annotate")
    _shoot(panel, "annotate")
    if _is_wanted("propagate"):
        panel.ui.propagateBox.collapsed = False
        panel.child("propagateStart").click()
        panel.wait(lambda: not panel.panel.monitor.isBusy, 900)
        _only(panel, "annotate")
        _shoot(panel, "propagate")
    for node in [*slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), nodes.find_volume("phantom_001")]:
        slicer.mrmlScene.RemoveNode(node)
    slicer.util.setSliceViewerLayers(background=nodes.find_volume(SHOWN), fit=True)

    if not _is_wanted("plan", "finetune", "prediction", "uncertainty", "results"):
        return
    _only(panel, "finetune")
    panel.ui.labelsFrom.currentIndex = 1
    finetuning = {"steps": "600", "batch": "8", "validation": "0.2", "cases_leave_out": SHOWN, **COARSE}
    _fill_in(panel, "finetuning", **finetuning)
    if _is_wanted("plan"):
        panel.wait(lambda: "being measured" not in (panel.ui.finetuneEstimate.text or "being measured"), 120)
        _shoot(panel, "plan")
    _train(panel, "finetuning", **finetuning)
    panel.child("finetuneCurves").setChecked(True)
    _shoot(panel, "finetune")
    panel.child("finetuneCurves").setChecked(False)

    _only(panel, "predict")
    volume = nodes.find_volume(SHOWN)
    panel.ui.inputVolume.setCurrentNode(volume)
    if _is_wanted("prediction", "uncertainty"):
        panel.job("predict")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    center = [(n - 1) / 2 for n in volume.GetImageData().GetDimensions()]
    nodes.jump_to(volume, (*center[:2], _richest_slice(data / "test" / "labels" / f"{SHOWN}.seg.nrrd")))
    _only(panel, "predict")
    _shoot(panel, "prediction")
    panel.ui.showUncertainty.click()
    _shoot(panel, "uncertainty")
    panel.ui.showUncertainty.click()
    _show_lowest(panel, panel.ui.runBox)
    _shoot(panel, "results")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="screenshots_")))
    os._exit(0)  # Qt's off-screen windows have no user to close them
