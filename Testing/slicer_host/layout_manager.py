"""The layout manager: Slicer's layout logic says which views there are, and the widgets follow."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import slicer
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtWidgets import QGridLayout, QWidget
from vtkmodules.vtkCommonCore import vtkCommand

from .noise import quiet_vtk
from .plot_widgets import qMRMLPlotWidget
from .pythonqt import stand_in
from .table_widgets import qMRMLTableWidget
from .view_widgets import qMRMLSliceWidget, qMRMLThreeDWidget

_SLICES = ("Red", "Green", "Yellow")
_FURTHER = {"vtkMRMLSliceNode": qMRMLSliceWidget, "vtkMRMLViewNode": qMRMLThreeDWidget}


@stand_in
class qSlicerLayoutManager(QObject):
    """Gives the views by name and number, as `slicer.app.layoutManager()` does."""

    layoutChanged = Signal(int)

    def __init__(self, scene: Any, application_logic: Any) -> None:
        super().__init__()
        self._scene = scene
        self._application_logic = application_logic
        self._widgets: dict[str, tuple[Any, QWidget]] = {}
        self._make_views()
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)
        self._viewport = QWidget()
        self._grid = QGridLayout(self._viewport)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._layout = slicer.vtkMRMLLayoutNode.SlicerLayoutNone
        node = self._logic.GetLayoutNode()
        node.AddObserver(vtkCommand.ModifiedEvent, self._follow)
        node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def _make_views(self) -> None:
        """The usual views; each must make its node itself, before the layout does."""
        with quiet_vtk():
            for name in _SLICES:
                widget = qMRMLSliceWidget(self._scene, self._application_logic, name)
                self._widgets[_node_of(widget).GetID()] = (_node_of(widget), widget)
            three_d = qMRMLThreeDWidget(self._scene, self._application_logic, "1")
            self._widgets[_node_of(three_d).GetID()] = (_node_of(three_d), three_d)

    def setLayout(self, layout: int) -> None:
        """Show another arrangement of views."""
        self._make_further_views(layout)
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    def _make_further_views(self, layout: int) -> None:
        """Slice and 3D views beside the usual ones, as the description of the layout names them."""
        description = self._logic.GetLayoutNode().GetLayoutDescription(layout)
        for view in ElementTree.fromstring(description or "<layout/>").iter("view"):
            kind, tag = view.get("class", ""), view.get("singletontag", "")
            if kind in _FURTHER and f"{kind}{tag}" not in self._widgets:
                with quiet_vtk():
                    widget = _FURTHER[kind](self._scene, self._application_logic, tag)
                self._widgets[f"{kind}{tag}"] = (_node_of(widget), widget)

    def _layout_of_node(self) -> int:
        return self._logic.GetLayoutNode().GetViewArrangement()

    layout = Property(int, _layout_of_node, setLayout)

    def layoutLogic(self) -> Any:
        """Slicer's own logic of layouts."""
        return self._logic

    def viewport(self) -> QWidget:
        """The widget in which the views lie."""
        return self._viewport

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene

    def sliceViewNames(self) -> tuple[str, ...]:
        """Names of the slice views in the layout."""
        return tuple(node.GetLayoutName() for node in self._nodes("vtkMRMLSliceNode"))

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        """The slice view of this name, None if there is none."""
        node = self._scene.GetNodeByID(f"vtkMRMLSliceNode{name}")
        return self._widget_of(node) if node is not None else None

    def threeDWidget(self, index: int) -> qMRMLThreeDWidget | None:
        """The n-th 3D view of the layout."""
        return self._nth("vtkMRMLViewNode", index)

    def plotWidget(self, index: int) -> qMRMLPlotWidget | None:
        """The n-th plot view of the layout."""
        return self._nth("vtkMRMLPlotViewNode", index)

    def tableWidget(self, index: int) -> qMRMLTableWidget | None:
        """The n-th table view of the layout."""
        return self._nth("vtkMRMLTableViewNode", index)

    threeDViewCount = Property(int, lambda self: len(self._nodes("vtkMRMLViewNode")))
    plotViewCount = Property(int, lambda self: len(self._nodes("vtkMRMLPlotViewNode")))
    tableViewCount = Property(int, lambda self: len(self._nodes("vtkMRMLTableViewNode")))

    def mrmlSliceLogics(self) -> Any:
        """The logics of all slice views."""
        return self._application_logic.GetSliceLogics()

    def resetSliceViews(self) -> None:
        """Fit every slice view to its background."""
        for name in self.sliceViewNames():
            self.sliceWidget(name).fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        """Fit every 3D view to what it shows."""
        for index in range(self.threeDViewCount):
            self.threeDWidget(index).threeDView()._view.fit_view_to_content()

    def _nodes(self, class_name: str) -> list[Any]:
        collection = self._logic.GetViewNodes()
        nodes = [collection.GetItemAsObject(n) for n in range(collection.GetNumberOfItems())]
        return [node for node in nodes if node.IsA(class_name)]

    def _nth(self, class_name: str, index: int) -> Any:
        nodes = self._nodes(class_name)
        return self._widget_of(nodes[index]) if 0 <= index < len(nodes) else None

    def _widget_of(self, node: Any) -> Any:
        known, widget = self._widgets.get(node.GetID(), (None, None))
        if known is not node:
            with quiet_vtk():
                widget = self._make_widget(node)
            self._widgets[node.GetID()] = (node, widget)
        return widget

    def _make_widget(self, node: Any) -> QWidget:
        if node.IsA("vtkMRMLSliceNode") or node.IsA("vtkMRMLViewNode"):
            raise NotImplementedError(
                f"The Slicer for tests has no view {node.GetID()}: choose the layout with setLayout()."
            )
        widget = qMRMLPlotWidget() if node.IsA("vtkMRMLPlotViewNode") else qMRMLTableWidget()
        widget.setMRMLScene(self._scene)
        show = widget.setMRMLPlotViewNode if node.IsA("vtkMRMLPlotViewNode") else widget.setMRMLTableViewNode
        show(node)
        return widget

    def _follow(self, _node: Any, _event: str) -> None:
        if self.layout == self._layout:
            return
        self._layout = self.layout
        while self._grid.count():
            self._grid.takeAt(0).widget().hide()
        collection = self._logic.GetViewNodes()
        for place in range(collection.GetNumberOfItems()):
            widget = self._widget_of(collection.GetItemAsObject(place))
            self._grid.addWidget(widget, place // 2, place % 2)
            self._grid.setRowStretch(place // 2, 1)
            self._grid.setColumnStretch(place % 2, 1)
            widget.show()
        self.layoutChanged.emit(self._layout)


def _node_of(widget: Any) -> Any:
    """The node of a slice or 3D view."""
    return widget.mrmlSliceNode() if isinstance(widget, qMRMLSliceWidget) else widget.mrmlViewNode()
