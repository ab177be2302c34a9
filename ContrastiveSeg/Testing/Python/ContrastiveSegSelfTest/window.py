"""The self test's look at what users see first: the panel, and the phantoms in Sample Data."""

import time
from unittest import mock

import slicer
from ContrastiveSegPanel import sample_data

NAME = "ContrastiveSeg"
STEPS = ("setup", "data", "pretrain", "annotate", "finetune", "predict")
TIMEOUT_S = 60


def openPanel(test, folder, cases) -> None:
    """Build the panel, enter it, and choose a folder of volumes.

    Args:
        cases: The names that the table must show.
    """
    if slicer.util.mainWindow() is not None:
        slicer.util.selectModule(NAME)
    widget = slicer.util.getModuleWidget(NAME)
    # Slicer prints what was raised in setup() and enter(), and goes on with half a panel.
    test.assertIsNotNone(getattr(widget, "panel", None), "setup() did not come to its end")
    widget.enter()
    states = [slicer.util.findChild(widget.uiWidget, f"{step}State").property("state") for step in STEPS]
    test.assertTrue(all(states), f"states of the steps: {states}")
    reader = widget.panel.data.reader
    widget.ui.dataFolder.currentPath = str(folder)
    wait(lambda: reader.cases and not reader.isReading)
    test.assertEqual([case.name for case in reader.cases], cases)
    widget.ui.dataFolder.currentPath = ""
    widget.ui.runFolder.currentPath = ""


def openSampleData(test, folder, register) -> None:
    """Register the phantoms as at start-up, and take them as a click in Sample Data does.

    Args:
        folder: For the phantoms.
        register: Function of the module.
    """
    register()
    sources = slicer.modules.sampleDataSources[NAME]
    test.assertEqual([source.sampleName for source in sources], ["ContrastiveSegPhantoms"])
    with mock.patch.multiple(sample_data, UNLABELED=1, folderOf=lambda _logic: folder):
        volumes = sources[0].customDownloader(sources[0])
    test.assertEqual(len(volumes), 2)
    manager = slicer.app.layoutManager()
    if manager is not None:
        composite = manager.sliceWidget("Red").mrmlSliceCompositeNode()
        test.assertEqual(composite.GetBackgroundVolumeID(), volumes[0].GetID())


def wait(condition) -> None:
    """Let Slicer run until the condition holds; a test that started with --testing has no other way."""
    end = time.monotonic() + TIMEOUT_S
    while not condition() and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.02)
