"""Modules of the application: those with Slicer's own logic, and the scripted ones that a test loads."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout

from .declared import declared
from .mrml_widgets import qMRMLWidget
from .pythonqt import stand_in


class ModuleNames:
    """`slicer.modules`: the modules as attributes, by their lower-case names."""


@stand_in
class qSlicerLoadableModule(QObject):
    """A module written in C++, with its real logic."""

    def __init__(self, name: str, logic: Any = None, widget: Any = None) -> None:
        super().__init__()
        self._name, self._logic, self._widget = name, logic, widget

    name = Property(str, lambda self: self._name)
    path = Property(str, lambda _self: "")
    title = declared(str, "title", "")

    def _refresh(self, _name: str) -> None:
        """Nothing shows it."""

    def logic(self) -> Any:
        """The logic."""
        return self._logic

    def widgetRepresentation(self) -> Any:
        """The panel, or None."""
        return self._widget


@stand_in
class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The panel of a scripted module; `self()` is the Python object behind it."""

    def __init__(self, module: Any, make: Any) -> None:
        super().__init__()
        self._module = module
        self._make = make
        self._python: Any = None
        QVBoxLayout(self)
        self.setMRMLScene(slicer.mrmlScene)

    def self(self) -> Any:
        """The Python object."""
        return self._python

    def reload(self) -> None:
        """Make the Python object anew and set it up."""
        self._python = self._make(self)
        self._python.setup()

    def enter(self) -> None:
        """The user opens the module."""
        getattr(self._python, "enter", lambda: None)()

    def exit(self) -> None:
        """The user leaves the module."""
        getattr(self._python, "exit", lambda: None)()


@stand_in
class qSlicerScriptedLoadableModule(QObject):
    """A scripted module, read from its file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None
        self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._python: Any = None

    name = Property(str, lambda self: self._path.stem)
    path = Property(str, lambda self: str(self._path))
    title = declared(str, "title", "")
    categories = declared("QVariantList", "categories", [])
    dependencies = declared("QVariantList", "dependencies", [])
    contributors = declared("QVariantList", "contributors", [])
    helpText = declared(str, "helpText", "")
    acknowledgementText = declared(str, "acknowledgementText", "")
    hidden = declared(bool, "hidden", False)
    index = declared(int, "index", -1)
    widgetRepresentationCreationEnabled = declared(bool, "widgetRepresentationCreationEnabled", True)
    icon = declared(QIcon, "icon", QIcon())

    def _refresh(self, _name: str) -> None:
        """Nothing shows it."""

    def load(self) -> None:
        """Run the module's file, as Slicer does when it starts, and make its object."""
        if str(self._path.parent) not in sys.path:
            sys.path.insert(0, str(self._path.parent))
        spec = importlib.util.spec_from_file_location(self.name, self._path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = module
        spec.loader.exec_module(module)
        self._python = getattr(module, self.name)(self)
        getattr(self._python, "setup", lambda: None)()

    def logic(self) -> Any:
        """The logic in C++ that all scripted modules share."""
        return self._logic

    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget | None:
        """The panel; made and set up when first asked for."""
        if self._widget is None and hasattr(sys.modules[self.name], f"{self.name}Widget"):
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        """Another panel."""
        widget = qSlicerScriptedLoadableModuleWidget(
            self, lambda parent: getattr(sys.modules[self.name], f"{self.name}Widget")(parent)
        )
        widget.reload()
        return widget


@stand_in
class qSlicerModuleManager(QObject):
    """Knows the modules by name."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def module(self, name: str) -> Any:
        """The module of this name, or None."""
        return self._modules.get(name)

    def modulesNames(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self._modules)

    def factoryManager(self) -> qSlicerModuleManager:
        """What loads modules."""
        return self

    def loadedModuleNames(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self._modules)

    def _add(self, module: Any) -> None:
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)

    def _remove(self, name: str) -> None:
        """As when the application ends: the module hears of it, then it is gone."""
        self.moduleAboutToBeUnloaded.emit(name)
        del self._modules[name]
        for attribute in (name.lower(), f"{name}Widget", f"{name}Instance"):
            if hasattr(slicer.modules, attribute):
                delattr(slicer.modules, attribute)
