"""The main window: the panel of the chosen module on the left, the views on the right."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow, QScrollArea, QWidget

from .pythonqt import stand_in


@stand_in
class qSlicerModuleSelectorToolBar(QObject):
    """The menu in which the user chooses a module."""

    moduleSelected = Signal(str)

    def __init__(self, show: Any) -> None:
        super().__init__()
        self._show = show
        self._selected = ""

    selectedModule = Property(str, lambda self: self._selected)

    def selectModule(self, name: str) -> None:
        """Leave the module that is open and enter this one; an unknown name is ignored, as in Slicer."""
        module = slicer.app.moduleManager().module(name)
        if module is None or name == self._selected:
            return
        self._leave()
        widget = module.widgetRepresentation()
        self._selected = name
        self._show(widget)
        getattr(widget, "enter", lambda: None)()
        self.moduleSelected.emit(name)

    def _leave(self) -> None:
        module = slicer.app.moduleManager().module(self._selected)
        self._selected = ""
        if module is not None:
            getattr(module.widgetRepresentation(), "exit", lambda: None)()


@stand_in
class qSlicerMainWindow(QMainWindow):
    """The window that `slicer.util.mainWindow()` finds."""

    initialWindowShown = Signal()

    def __init__(self, views: QWidget) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setCentralWidget(views)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        panel = QDockWidget("Module Panel")
        panel.setObjectName("PanelDockWidget")
        panel.setWidget(self._scroll)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, panel)
        self._selector = qSlicerModuleSelectorToolBar(self._show_panel)
        self.resize(1400, 900)
        self.resizeDocks([panel], [520], Qt.Orientation.Horizontal)
        self.statusBar()

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        """The menu of modules."""
        return self._selector

    def _show_panel(self, widget: QWidget | None) -> None:
        """Put the panel into the dock; the one before lives on with its module."""
        self._scroll.takeWidget()
        if widget is not None:
            self._scroll.setWidget(widget)
            widget.show()
