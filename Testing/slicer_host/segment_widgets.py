"""Stand-ins for widgets that show the segments of a segmentation."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from .declared import declared, setter
from .mrml_widgets import qMRMLWidget
from .pythonqt import stand_in
from .scene_observer import SceneObserver


@stand_in
class qMRMLSegmentsTableView(qMRMLWidget):
    """A table of segments."""

    selectionChanged = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observer = SceneObserver(self)
        self._table = QTableWidget(0, 1)
        self._table.setHorizontalHeaderLabels(["Name"])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table)

    readOnly = declared(bool, "readOnly", False)
    opacityColumnVisible = declared(bool, "opacityColumnVisible", True)
    statusColumnVisible = declared(bool, "statusColumnVisible", False)
    setReadOnly = setter("readOnly")

    def _refresh(self, _name: str) -> None:
        """Nothing shows it."""

    def segmentationNode(self) -> Any:
        """The segmentation."""
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        """Show this segmentation."""
        self._observer.clear()
        self._node = node
        if node is not None:
            for event in (slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved):
                self._observer.observe(node.GetSegmentation(), event, self._fill)
        self._fill()

    def displayedSegmentIDs(self) -> tuple[str, ...]:
        """The segments in the table."""
        return tuple(self._node.GetSegmentation().GetSegmentIDs()) if self._node else ()

    def selectedSegmentIDs(self) -> list[str]:
        """The chosen segments."""
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return [self.displayedSegmentIDs()[row] for row in rows]

    def _fill(self) -> None:
        ids = self.displayedSegmentIDs()
        self._table.rowCount = len(ids)
        for row, identifier in enumerate(ids):
            name = self._node.GetSegmentation().GetSegment(identifier).GetName()
            self._table.setItem(row, 0, QTableWidgetItem(name))


@stand_in
class qMRMLSegmentationShow3DButton(QPushButton):
    """A button that makes and shows surfaces."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Show 3D", parent)
        self.setCheckable(True)
        self._node: Any = None
        self.toggled.connect(self._toggled)

    locked = declared(bool, "locked", False)

    def _refresh(self, _name: str) -> None:
        """Nothing shows it."""

    def segmentationNode(self) -> Any:
        """The segmentation."""
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        """Show this segmentation."""
        self._node = node

    def _toggled(self, shown: bool) -> None:
        if self._node is None:
            return
        if shown:
            self._node.CreateClosedSurfaceRepresentation()
        else:
            self._node.RemoveClosedSurfaceRepresentation()
