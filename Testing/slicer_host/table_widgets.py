"""Table views: a table node of MRML in a Qt table."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView, QVBoxLayout, QWidget
from vtkmodules.vtkCommonCore import vtkCommand, vtkDataArray

from .mrml_widgets import qMRMLWidget
from .pythonqt import stand_in
from .scene_observer import SceneObserver


@stand_in
class qMRMLTableView(QTableView):
    """A table of numbers and texts."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._view_node: Any = None
        self._observer = SceneObserver(self)
        self._view_observer = SceneObserver(self)
        self._items = QStandardItemModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._items)
        self.setModel(self._sorted)

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Show tables of this scene."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def tableModel(self) -> QStandardItemModel:
        """The rows as the node has them."""
        return self._items

    def sortFilterProxyModel(self) -> QSortFilterProxyModel:
        """The rows as they are sorted."""
        return self._sorted

    def mrmlTableNode(self) -> Any:
        """The table node that is shown."""
        return self._node

    def setMRMLTableNode(self, node: Any) -> None:
        """Show this table node, and its changes."""
        self._observer.clear()
        self._node = node
        if node is not None:
            self._observer.observe(node, vtkCommand.ModifiedEvent, self._fill)
        self._fill()

    def mrmlTableViewNode(self) -> Any:
        """The node that says which table is shown."""
        return self._view_node

    def setMRMLTableViewNode(self, node: Any) -> None:
        """Show the table this node names, also when it names another one later."""
        self._view_observer.clear()
        self._view_node = node
        if node is not None:
            self._view_observer.observe(node, vtkCommand.ModifiedEvent, self._follow)
        self._follow()

    def _follow(self) -> None:
        node = self._view_node.GetTableNode() if self._view_node is not None else None
        if node is not self._node:
            self.setMRMLTableNode(node)

    def _fill(self) -> None:
        self._items.clear()
        if self._node is None:
            return
        table = self._node.GetTable()
        for index in range(table.GetNumberOfColumns()):
            column = table.GetColumn(index)
            self._items.setHorizontalHeaderItem(index, QStandardItem(self._title(index, column)))
            for row in range(table.GetNumberOfRows()):
                self._items.setItem(row, index, _cell(column, row))

    def _title(self, index: int, column: Any) -> str:
        if self._node.GetUseColumnTitleAsColumnHeader():
            return self._node.GetColumnTitle(column.GetName() or "") or column.GetName()
        return column.GetName() if self._node.GetUseColumnNameAsColumnHeader() else str(index)


def _cell(column: Any, row: int) -> QStandardItem:
    """Numbers stay numbers, so that they sort as such."""
    item = QStandardItem()
    value = column.GetValue(row)
    item.setData(value if isinstance(column, vtkDataArray) else str(value), Qt.ItemDataRole.DisplayRole)
    return item


@stand_in
class qMRMLTableWidget(qMRMLWidget):
    """A table view of a layout."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = qMRMLTableView()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table)

    def tableView(self) -> qMRMLTableView:
        """The table."""
        return self._table

    def setMRMLTableViewNode(self, node: Any) -> None:
        """Show the table this node names."""
        self._table.setMRMLTableViewNode(node)

    def _scene_changed(self) -> None:
        self._table.setMRMLScene(self._scene)
