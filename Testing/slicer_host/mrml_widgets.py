"""Stand-ins for Slicer's widgets that know the scene: the container of a panel and the selectors of nodes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget
from slicer import vtkMRMLScene

from .ctk_sliders import ctkSliderWidget
from .ctk_widgets import ctkCollapsibleButton, ctkDoubleSpinBox
from .declared import declared, setter
from .pythonqt import stand_in
from .scene_observer import SceneObserver


@stand_in
class qMRMLWidget(QWidget):
    """A widget that is told the scene and passes it on."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: vtkMRMLScene | None = None

    def mrmlScene(self) -> vtkMRMLScene | None:
        """The scene."""
        return self._scene

    def setMRMLScene(self, scene: vtkMRMLScene | None) -> None:
        """Show this scene from now on."""
        if scene is self._scene:
            return
        self._scene = scene
        self._scene_changed()
        self.mrmlSceneChanged.emit(scene)

    def _scene_changed(self) -> None:
        """What a derived widget does with a new scene."""


@stand_in
class qMRMLNodeComboBox(QWidget):
    """A choice among the nodes of some classes."""

    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeActivated = Signal(object)
    nodeAboutToBeRemoved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: vtkMRMLScene | None = None
        self._current = ""
        self._filters: list[tuple[str, str, str | None]] = []
        self._observer = SceneObserver(self)
        self._box = QComboBox(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self._box.currentIndexChanged.connect(self._chosen)
        self._box.activated.connect(self._activated)

    nodeTypes = declared("QStringList", "nodeTypes", [])
    noneEnabled = declared(bool, "noneEnabled", False)
    noneDisplay = declared(str, "noneDisplay", "None")
    addEnabled = declared(bool, "addEnabled", True)
    removeEnabled = declared(bool, "removeEnabled", True)
    renameEnabled = declared(bool, "renameEnabled", False)
    editEnabled = declared(bool, "editEnabled", False)
    selectNodeUponCreation = declared(bool, "selectNodeUponCreation", True)
    showHidden = declared(bool, "showHidden", False)
    showChildNodeTypes = declared(bool, "showChildNodeTypes", True)
    hideChildNodeTypes = declared("QStringList", "hideChildNodeTypes", [])
    baseName = declared(str, "baseName", "")
    interactionNodeSingletonTag = declared(str, "interactionNodeSingletonTag", "")
    currentNodeID = declared(str, "current", "")
    currentNodeId = declared(str, "current", "")
    setCurrentNodeID = setter("currentNodeID")

    def _refresh(self, name: str) -> None:
        if name == "current":
            wanted = self._current
            index = max(self._box.findData(wanted), 0 if self.noneEnabled else -1)
            self._current = None  # so that the choice below counts as a change
            self._box.currentIndex = index
            self._chosen(self._box.currentIndex)
        else:
            self._fill()

    def mrmlScene(self) -> vtkMRMLScene | None:
        """The scene whose nodes are offered."""
        return self._scene

    def setMRMLScene(self, scene: vtkMRMLScene | None) -> None:
        """Offer the nodes of this scene."""
        self._observer.clear()
        self._scene = scene
        if scene is not None:
            for event in (
                scene.NodeAddedEvent,
                scene.NodeRemovedEvent,
                scene.EndBatchProcessEvent,
                scene.EndCloseEvent,
            ):
                self._observer.observe(scene, event, self._fill)
        self._fill()

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """Offer nodes of this class only if they have the attribute."""
        self._filters.append((node_type, name, value))
        self._fill()

    def currentNode(self) -> Any:
        """The chosen node, or None."""
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        """Choose this node (or the one with this identifier)."""
        self.currentNodeID = node if isinstance(node, str) else node.GetID() if node else ""

    def setCurrentNodeIndex(self, index: int) -> None:
        """Choose the n-th node offered."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeCount(self) -> int:
        """How many nodes are offered."""
        return len(self._offered())

    def nodeFromIndex(self, index: int) -> Any:
        """The n-th node offered."""
        return self._offered()[index]

    def addNode(self, node_type: str = "") -> Any:
        """Make a node, as the entry "Create new" does."""
        node_type = node_type or self.nodeTypes[0]
        name = self.baseName or self._scene.GetTagByClassName(node_type)
        node = self._scene.AddNewNodeByClass(node_type, self._scene.GenerateUniqueName(name))
        self.nodeAddedByUser.emit(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        return node

    def removeCurrentNode(self) -> None:
        """Take the chosen node out of the scene."""
        if node := self.currentNode():
            self.nodeAboutToBeRemoved.emit(node)
            self._scene.RemoveNode(node)

    def _offered(self) -> list[Any]:
        if self._scene is None:
            return []
        nodes = [self._scene.GetNthNode(n) for n in range(self._scene.GetNumberOfNodes())]
        return [node for node in nodes if self._suits(node)]

    def _suits(self, node: Any) -> bool:
        kinds = [node.GetClassName()] if not self.showChildNodeTypes else []
        suits = any(kind in kinds if kinds else node.IsA(kind) for kind in self.nodeTypes)
        hidden = node.GetHideFromEditors() and not self.showHidden
        unwanted = any(node.IsA(kind) for kind in self.hideChildNodeTypes)
        return suits and not hidden and not unwanted and all(self._passes(node, *f) for f in self._filters)

    @staticmethod
    def _passes(node: Any, node_type: str, name: str, value: str | None) -> bool:
        given = node.GetAttribute(name)
        return not node.IsA(node_type) or (given is not None and value in (None, "", given))

    def _fill(self) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        place = self._box.currentIndex
        self._box.blockSignals(True)
        self._box.clear()
        if self.noneEnabled:
            self._box.addItem(self.noneDisplay, "")
        for node in self._offered():
            self._box.addItem(node.GetName(), node.GetID())
        index = self._box.findData(self._current)
        last = self._box.count - 1
        self._box.currentIndex = index if index >= 0 else min(max(place, 0), last)
        self._box.blockSignals(False)
        self._chosen(self._box.currentIndex)

    def _chosen(self, index: int) -> None:
        chosen = self._box.itemData(index) or ""
        if chosen == self._current:
            return
        self._current = chosen
        node = self.currentNode()
        self.currentNodeIDChanged.emit(chosen)
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)

    def _activated(self, _index: int) -> None:
        self.nodeActivated.emit(self.currentNode())


@stand_in
class qMRMLSpinBox(ctkDoubleSpinBox):
    """A spin box that may show a unit of the scene."""

    def setMRMLScene(self, scene: vtkMRMLScene | None) -> None:
        """Units are not shown here."""


@stand_in
class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that may show a unit of the scene."""

    def setMRMLScene(self, scene: vtkMRMLScene | None) -> None:
        """Units are not shown here."""


@stand_in
class qMRMLCollapsibleButton(ctkCollapsibleButton):
    """A step of a panel that passes the scene on."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: vtkMRMLScene | None) -> None:
        """Pass the scene on."""
        self.mrmlSceneChanged.emit(scene)
