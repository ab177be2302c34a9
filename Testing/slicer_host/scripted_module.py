"""`slicer.ScriptedLoadableModule`: the four base classes of a scripted module."""

from __future__ import annotations

import inspect
import logging
import os
import unittest
from pathlib import Path
from typing import Any

import qt
import slicer

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


def _resource_path(owner: object, filename: str) -> str:
    folder = Path(inspect.getfile(type(owner))).resolve().parent
    return os.fspath(folder / "Resources" / filename)


def _stripped(owner: object, ending: str) -> str:
    return type(owner).__name__.removesuffix(ending)


class ScriptedLoadableModule:
    """What Slicer shows about a module before it is opened."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = []
        parent.helpText = ""
        parent.acknowledgementText = ""
        icon = self.resourcePath(f"Icons/{self.moduleName}.png")
        if os.path.isfile(icon):  # noqa: PTH113
            parent.icon = qt.QIcon(icon)
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        """A file in the module's Resources."""
        return _resource_path(self, filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        """A sentence with a link to the manual."""
        page = docPage or self.moduleName
        link = f'<a href="https://slicer.readthedocs.io/{page}">online documentation</a>'
        return f"<p>For more information see the {link}.</p>"

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        """Run the module's own test."""
        module = inspect.getmodule(type(self))
        test = getattr(module, f"{self.moduleName}Test")()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """The panel of a module."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = _stripped(self, "Widget")
        self.developerMode = False
        self.parent = parent if parent is not None else slicer.qMRMLWidget()
        if self.parent.layout() is None:
            self.parent.setLayout(qt.QVBoxLayout())
        self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        setattr(slicer.modules, f"{self.moduleName}Widget", self)
        slicer.app.moduleManager().connect(
            "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
        )
        if parent is None:
            self.setup()
            self.parent.show()

    def resourcePath(self, filename: str) -> str:
        """A file in the module's Resources."""
        return _resource_path(self, filename)

    def cleanup(self) -> None:
        """What the module does before it goes."""

    def setup(self) -> None:
        """Build the panel; derived classes call this first."""
        self.setupDeveloperSection()

    def setupDeveloperSection(self) -> None:
        """Buttons for reload and test, which only developers see."""
        import ctk

        self.reloadCollapsibleButton = ctk.ctkCollapsibleButton()
        self.reloadCollapsibleButton.text = "Reload && Test"
        self.layout.addWidget(self.reloadCollapsibleButton)
        self.reloadButton = qt.QPushButton("Reload")
        qt.QHBoxLayout(self.reloadCollapsibleButton).addWidget(self.reloadButton)
        self.reloadButton.connect("clicked()", self.onReload)
        self.reloadCollapsibleButton.visible = self.developerMode

    def onReload(self) -> None:
        """Read the module's file again and make the panel anew."""
        slicer.util.reloadScriptedModule(self.moduleName)

    def onReloadAndTest(self, **kwargs: Any) -> None:
        """Reload, then run the module's own test."""
        self.onReload()
        slicer.selfTests[self.moduleName](**kwargs)

    def onTest(self, **kwargs: Any) -> None:
        """Run the module's own test."""
        slicer.selfTests[self.moduleName](**kwargs)

    def onEditSource(self) -> None:
        """Open the module's file in an editor: tests do not."""

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect(
                "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
            )


class ScriptedLoadableModuleLogic:
    """The work of a module, without its panel."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.moduleName = _stripped(self, "Logic")
        self.isSingletonParameterNode = True

    def createParameterNode(self) -> Any:
        """A new node for the parameters, not yet in the scene."""
        node = slicer.vtkMRMLScriptedModuleNode()
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node

    def getParameterNode(self) -> Any:
        """The node that holds the parameters; made when first asked for."""
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        else:
            node = next(iter(self.getAllParameterNodes()), None)
        return node or slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list[Any]:
        """All nodes with parameters of this module."""
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetModuleName() == self.moduleName]


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The module's own test, as a user runs it from the panel."""

    messageDelay = 0

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        """Say what is being tested; nobody waits here."""
        del requestedDelay, msec
        logging.info(message)
        slicer.app.processEvents()

    def takeScreenshot(self, name: str, description: str, type: int = -1) -> None:
        """Take a picture: the tests of the host take theirs elsewhere."""
        del name, description, type

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run the tests of the module; derived classes say which."""
