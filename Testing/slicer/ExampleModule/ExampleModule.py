"""A small scripted module in Slicer's manner, which proves that the host loads what Slicer would load."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Decimals, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class Speed(enum.Enum):
    """How long it may take."""

    QUICK = 1
    THOROUGH = 2


@parameterNodeWrapper
class ExampleParameters:
    """What the panel remembers."""

    image: slicer.vtkMRMLScalarVolumeNode
    epochs: Annotated[int, WithinRange(1, 1000)] = 20
    rate: Annotated[float, Decimals(6)] = 1e-3
    folder: pathlib.Path
    speed: Speed
    note: str = "hello"


class ExampleModule(ScriptedLoadableModule):
    """The module."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)
        self.parent.title = _("Example")
        self.parent.categories = ["Segmentation"]
        self.parent.helpText = _("Counts.")


class ExampleModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent: object = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.entered = 0
        self.ticks = 0
        self.cleaned = False

    def setup(self) -> None:
        """Build the panel from its file."""
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/ExampleModule.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = ExampleModuleLogic()
        self.parameters = self.logic.getParameterNode()
        self.tag = self.parameters.connectGui(widget)
        self.addObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.onModified)
        self.ui.countButton.connect("clicked(bool)", self.onCount)
        self.timer = qt.QTimer(self.parent)
        self.timer.interval = 10
        self.timer.connect("timeout()", self.onTick)
        self.onModified()

    def onModified(self, caller: object = None, event: object = None) -> None:
        """Enable the button when there is an image."""
        del caller, event
        self.ui.countButton.enabled = self.parameters.image is not None

    def onCount(self, checked: bool = False) -> None:
        """Count the bright voxels."""
        del checked
        with slicer.util.tryWithErrorDisplay(_("Failed to count."), waitCursor=True):
            self.ui.resultLabel.text = str(self.logic.count(self.parameters.image))

    def onTick(self) -> None:
        """Count the ticks of the timer."""
        self.ticks += 1

    def enter(self) -> None:
        """The user opens the panel."""
        self.entered += 1

    def exit(self) -> None:
        """The user leaves the panel."""
        self.entered -= 1

    def cleanup(self) -> None:
        """The module goes."""
        self.timer.stop()
        self.removeObservers()
        self.cleaned = True


class ExampleModuleLogic(ScriptedLoadableModuleLogic):
    """The work."""

    def getParameterNode(self) -> ExampleParameters:
        """The parameters."""
        return ExampleParameters(super().getParameterNode())

    def count(self, volume: slicer.vtkMRMLScalarVolumeNode) -> int:
        """How many voxels are above zero."""
        array = slicer.util.arrayFromVolume(volume)
        if not array.any():
            raise ValueError("The image is empty.")
        return int((array > 0).sum())


class ExampleModuleTest(ScriptedLoadableModuleTest):
    """The module's own test."""

    def runTest(self) -> None:
        """Run it."""
        self.setUp()
        import numpy as np

        volume = slicer.util.addVolumeFromArray(np.ones((2, 3, 4), np.float32))
        assert ExampleModuleLogic().count(volume) == 24
        self.delayDisplay("Test passed")
