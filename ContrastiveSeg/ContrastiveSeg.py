"""The Slicer module: learn to segment medical volumes from a handful of annotations."""

import os
import sys
from pathlib import Path
from typing import Any

import qt
import slicer
import vtk  # noqa: F401 - Slicer's own modules expect it beside slicer
from ContrastiveSegPanel.user_settings import recall, remember
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

ENGINE_PYTHON_VARIABLE = "CONTRASTIVESEG_ENGINE_PYTHON"


def findLibrary() -> None:
    """Make ContrastiveSegLib importable from a source checkout, where it lies beside the module's folder."""
    root = str(Path(__file__).resolve().parent.parent)
    if root not in sys.path:
        sys.path.append(root)


class ContrastiveSeg(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("ContrastiveSeg")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The ContrastiveSeg contributors"]
        parent.helpText = _(
            "Segment volumes from a handful of annotations: pre-train on unlabeled volumes, annotate a few, "
            "fine-tune, and segment the rest. Everything runs on this computer; nothing is sent anywhere.<br>"
            "The steps go from top to bottom; each says what is done and what is missing. Try it with the "
            "phantoms in Sample Data (category ContrastiveSeg).<br>For research; not a medical device."
        )
        parent.acknowledgementText = _(
            "SuperCL (IEEE TIP 35, 2026, doi 10.1109/TIP.2026.3657233), MACL (IEEE JBHI 2026, "
            "arXiv 2309.11876) and PolyCL (MELBA 2026:002, arXiv 2505.19208) are the methods this module "
            "exists for; each method's file names its source. Built on MONAI, PyTorch, SimpleITK and "
            "scikit-image."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Offer drawn phantoms in Sample Data; they are made on the spot, so nothing is downloaded."""
    import SampleData

    icons = Path(__file__).parent / "Resources" / "Icons"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ContrastiveSeg",
        sampleName="ContrastiveSegPhantoms",
        # Nothing is downloaded, and None instead of no files is refused.
        uris=[],
        fileNames=[],
        thumbnailFileName=str(icons / "ContrastiveSegPhantoms.png"),
        customDownloader=makePhantoms,
    )


def makePhantoms(_source=None) -> list:
    """What Sample Data calls; a function with a name, so that registering twice lists it once."""
    return ContrastiveSegLogic().makePhantoms()


class ContrastiveSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Loads the .ui file, and tells the panel when scenes come and go."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        # What `setup` makes.
        self.logic: Any = None
        self.panel: Any = None
        self.ui: Any = None
        self._guiTag = None
        self._willRefresh = self._willLook = False
        self._working = ("", "")

    def setup(self) -> None:
        """Build the panel; the library is looked for here and not on import."""
        ScriptedLoadableModuleWidget.setup(self)
        findLibrary()
        from ContrastiveSegPanel.panel import Panel

        self.uiWidget = slicer.util.loadUI(self.resourcePath("UI/ContrastiveSeg.ui"))
        self.layout.addWidget(self.uiWidget)
        self.ui = slicer.util.childWidgetVariables(self.uiWidget)
        self.uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = ContrastiveSegLogic()
        self.panel = Panel(self.uiWidget, self.ui, self.logic)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneChanged)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self._reopenLastRun()
        self._connectGui()

    def cleanup(self) -> None:
        """The widget goes; a job that runs is found again."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
            self._disconnectGui()

    def enter(self) -> None:
        """Back from another module, such as the Segment Editor."""
        if self.panel is not None:
            self.panel.refresh()

    def exit(self) -> None:
        """Jobs go on while another module is shown; so does the timer."""

    def onReload(self) -> None:
        """Developers: read the files beside this one anew, too."""
        for name in list(sys.modules):
            if name.partition(".")[0] in ("ContrastiveSegPanel", "ContrastiveSegLib"):
                del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, _caller, _event) -> None:
        """The nodes go; the widgets must not write into them."""
        self._working = self.panel.working()
        self._disconnectGui()

    def onSceneEndClose(self, caller, event) -> None:
        """An empty scene; a job that runs goes on, and the panel with it."""
        run, data = self._working
        if run:
            parameters = self.logic.getParameterNode()
            parameters.runFolder, parameters.dataFolder = run, data
        self.onSceneChanged(caller, event)

    def onSceneChanged(self, _caller, _event) -> None:
        """Another scene: connecting anew refills the widgets."""
        self._disconnectGui()
        self._connectGui()

    def onNodeAdded(self, _caller, _event) -> None:
        """A volume may be there now; look when all of it is, once for all nodes that come together."""
        if not self._willLook:
            self._willLook = True
            qt.QTimer.singleShot(0, self._lookLater)

    def _lookLater(self) -> None:
        self._willLook = False
        if self.panel is not None and self._guiTag is not None:
            self.panel.data.lookAtScene()

    def onNodeRemoved(self, _caller, _event) -> None:
        """A node in use may be gone; look again when the scene has come to rest."""
        # Once for all nodes that go together, such as a volume with its display.
        if not self._willRefresh:
            self._willRefresh = True
            qt.QTimer.singleShot(0, self._refreshLater)

    def _refreshLater(self) -> None:
        self._willRefresh = False
        if self.panel is not None and self._guiTag is not None:
            self.panel.refresh()

    def _connectGui(self) -> None:
        self.parameters = self.logic.getParameterNode()
        self._guiTag = self.parameters.connectGui(self.uiWidget)
        self.panel.fill()

    def _disconnectGui(self) -> None:
        if self._guiTag is not None:
            self.parameters.disconnectGui(self._guiTag)
            self._guiTag = None

    def _reopenLastRun(self) -> None:
        """After a restart, the run that was open last, unless the scene knows another one."""
        from ContrastiveSegPanel.panel import LAST_RUN

        parameters = self.logic.getParameterNode()
        last = recall(LAST_RUN)
        if not parameters.runFolder and last and Path(last).is_dir():
            parameters.runFolder = last


class ContrastiveSegLogic(ScriptedLoadableModuleLogic):
    """What scripts and notebooks use."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.moduleName = "ContrastiveSeg"
        findLibrary()
        self._following: list = []

    def getParameterNode(self):
        """What the scene remembers of the panel."""
        from ContrastiveSegPanel.parameters import ContrastiveSegParameterNode, withCurrentNames

        return ContrastiveSegParameterNode(withCurrentNames(super().getParameterNode()))

    def predict(self, volumeNode, runFolder, callback=None):
        """Segment a volume with a fine-tuned run, as a new segmentation node.

        Args:
            callback: Called with (node, "") or (None, error text); None: wait and return the node.

        Raises:
            ContrastiveSegError: It could not be started, or, without a callback, it failed.
        """
        from ContrastiveSegPanel import headless

        result = headless.predict(volumeNode, runFolder, self.engine(), callback)
        if callback is not None:
            self._following.append(result)  # a timer without a reference never fires
        return result

    def engine(self):
        """The Python that carries out jobs: Slicer's own, or the one chosen in the set-up."""
        from ContrastiveSegLib.slicer_bridge.engine import Engine

        python = self.externalPython()
        return Engine.of(Path(python) if python else None)

    def externalPython(self) -> str:
        """Path of the external Python; "" for Slicer's own."""
        return os.environ.get(ENGINE_PYTHON_VARIABLE, "") or recall("ExternalPython")

    def setExternalPython(self, path: str) -> None:
        """Choose a Python for this and later sessions; "" for Slicer's own."""
        remember("ExternalPython", path)

    def runsFolder(self) -> Path:
        """Where new runs are proposed."""
        return Path(recall("RunsFolder", str(Path.home() / "ContrastiveSeg")))

    def resource(self, name: str) -> str:
        """Path of a file in the module's Resources."""
        return str(Path(__file__).parent / "Resources" / name)

    def makePhantoms(self) -> list:
        """Draw sample data into the runs folder, load two volumes, and point the panel to the folder."""
        from ContrastiveSegPanel import sample_data

        return sample_data.make(self)


class ContrastiveSegTest(ScriptedLoadableModuleTest):
    """Runs in a real Slicer without torch, from the source code: a stand-in for the engine writes the run."""

    def setUp(self) -> None:
        """An empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self, **_kwargs) -> None:
        """Everything, one after the other."""
        self.setUp()
        findLibrary()
        folder = Path(__file__).resolve().parent / "Testing" / "Python"
        if not folder.is_dir():
            self.delayDisplay("The self test is part of the source code; it is not installed here.")
            return
        sys.path.insert(0, str(folder))
        from ContrastiveSegSelfTest import story

        story.run(self, ContrastiveSegLogic(), registerSampleData)
