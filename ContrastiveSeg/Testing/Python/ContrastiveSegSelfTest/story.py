"""The self test in a real Slicer without torch: from a volume to a segmentation, step by step."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import slicer
from ContrastiveSegPanel import job_words

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_labels, write_image
from ContrastiveSegLib.phantoms.phantom import make_phantom_case, phantom_table
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import annotating, annotation_files, nodes, predictions, process
from ContrastiveSegLib.slicer_bridge.curves import Curves
from ContrastiveSegLib.slicer_bridge.engine import Engine

from .window import openPanel, openSampleData

TIMEOUT_S = 120


def standIn() -> Engine:
    """An engine that needs no torch."""
    return Engine((sys.executable, "-u", str(Path(__file__).with_name("engine.py"))))


def run(test, logic, registerSampleData) -> None:
    """Play the story; every step asserts what the user would look for.

    Args:
        registerSampleData: What the module does when Slicer has started.
    """
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        truth = _data(test, room)
        openPanel(test, room / "data", ["one"])
        openSampleData(test, room / "phantoms", registerSampleData)
        here = RunFolder(room / "run")
        _pretrain(test, here, room)
        _annotate(test, here, room)
        _finetune(test, here)
        _predict(test, here, logic)
        _cancel(test, RunFolder(room / "cancelled"), room)
    test.assertTrue(truth)
    test.delayDisplay("ContrastiveSeg: all steps passed")


def _data(test, room) -> bool:
    """Step 1: an oblique, flipped volume comes through the scene with every voxel in its place."""
    image, _labels = make_phantom_case(1, shape=(12, 40, 44), tilt_deg=9.0, flipped=(True, False, True))
    write_image(room / "data" / "images" / "one.nrrd", image)
    node = nodes.add_volume(image, "one", case="one")[0]
    back = nodes.volume_of(node)
    test.assertTrue(back.geometry.matches(image.geometry))
    test.assertEqual(float(np.abs(back.array - image.array).max()), 0.0)
    test.assertEqual([case.name for case in find_cases(room / "data").cases], ["one"])
    return True


def _do(test, job, outcome=job_words.DONE) -> list:
    """Wait for a job as a script may; its events."""
    events, end = [], time.monotonic() + TIMEOUT_S
    while job.is_running() and time.monotonic() < end:
        events += job.new_events()
        job.enforce_cancel(grace_s=5)
        time.sleep(0.05)
    events += job.new_events()
    test.assertEqual(job_words.outcomeOf(job, events).kind, outcome, job.tail())
    job.close()
    return events


def _pretrain(test, here, room) -> None:
    settings = {"run": str(here.path), "images": str(room / "data")}
    job = process.start("pretrain", settings, standIn(), run=here, folder=here.panel)
    found = process.find(here.panel)
    test.assertEqual(found and found.pid, job.pid)
    events = _do(test, job)
    curves = Curves("self test")
    test.assertTrue(curves.add(events))
    test.assertEqual(curves.chart and curves.chart.GetNumberOfPlotSeriesNodes(), 1)
    test.assertIsNone(process.find(here.panel))


def _annotate(test, here, room) -> None:
    volume = nodes.find_volume("one")
    node = annotating.begin_annotation("one", volume, phantom_table())
    identity = node.GetSegmentation().GetSegmentIDs()[0]
    painted = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    painted[4:6, 10:20, 10:20] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(painted, node, identity, volume)
    annotating.mark_complete(node, 9)
    path = annotation_files.annotation_path(here, "one", scribbles=False)
    annotation_files.keep_image(here, find_cases(room / "data").cases[0])
    annotating.save_annotation(node, volume, path)
    saved = read_labels(path)
    test.assertEqual(int((saved.volume.array > 0).sum()), int(painted.sum()))
    background = saved.background if saved.background is not None else False
    for index, isKnown in ((4, True), (9, True), (6, False)):
        test.assertEqual(bool(((saved.volume.array > 0) | background)[index].all()), isKnown)
    test.assertEqual(annotating.amount(node, volume).known, (4, 5, 9))
    test.assertEqual(annotation_files.count(here).cases, 1)


def _finetune(test, here) -> None:
    settings = {"run": str(here.path), "labeled": str(here.annotations)}
    events = _do(test, process.start("finetune", settings, standIn(), run=here, folder=here.panel))
    test.assertEqual(here.finetune_rounds(finished=True), (1,))
    test.assertTrue(any(event["kind"] == "validation" for event in events))


def _predict(test, here, logic) -> None:
    volume = nodes.find_volume("one")
    logic.engine = standIn
    before = len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    node = logic.predict(volume, here.path)
    test.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")), before + 1)
    expected = read_labels(here.prediction("one"))
    for structure in expected.table.structures:
        identity = node.GetSegmentation().GetSegmentIdBySegmentName(structure.name)
        shown = slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume)
        test.assertTrue(np.array_equal(shown > 0, expected.volume.array == structure.value), structure.name)
    amounts = predictions.volumes_ml(node, volume)
    test.assertEqual(sorted(amounts), sorted(expected.table.names))
    test.assertGreater(min(amounts.values()), 0)
    overlay = predictions.load_uncertainty(here.uncertainty("one"), volume, "uncertainty")
    test.assertIsNotNone(overlay.GetDisplayNode().GetColorNode())


def _cancel(test, here, room) -> None:
    settings = {"run": str(here.path), "images": str(room / "data")}
    job = process.start("pretrain", settings, standIn(), run=here, folder=here.panel)
    while not here.events.exists():
        time.sleep(0.05)
    job.cancel()
    _do(test, job, job_words.CANCELLED)
    test.assertFalse(job.is_running())
