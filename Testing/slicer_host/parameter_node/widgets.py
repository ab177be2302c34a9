"""The two-way ties between parameters and widgets, and the pairs that Slicer cannot tie."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkCommonCore import vtkCommand

from ..scene_observer import SceneObserver
from .connectors import Connector, connector_for
from .fields import Field

SlicerParameterNamePropertyName = "SlicerParameterName"


def widgets_by_name(gui: QWidget, known: list[str]) -> dict[str, QWidget]:
    """The widgets that carry a parameter's name; an unknown name is refused."""
    found = {}
    for widget in [gui, *gui.findChildren(QWidget)]:
        name = widget.property(SlicerParameterNamePropertyName)
        if not name:
            continue
        if name not in known:
            raise ValueError(f"Cannot find a parameter with the name '{name}'; there are {known}")
        found[name] = widget
    return found


class WidgetConnections:
    """The ties of one call of `connectGui`: all or none."""

    def __init__(self, wrapper: Any, pairs: dict[str, tuple[Field, QWidget]]) -> None:
        self._wrapper = wrapper
        self._connectors: dict[str, Connector] = {}
        self._busy = False
        for name, (field, widget) in pairs.items():
            self._connectors[name] = connector_for(field, widget)
        self._observer = SceneObserver(_Alive())
        self._observer.observe(wrapper.parameterNode, vtkCommand.ModifiedEvent, self._show)
        self._show()
        for name, connector in self._connectors.items():
            connector.start(lambda name=name: self._take(name))

    def disconnect(self) -> None:
        """Let widgets and parameters go their own ways."""
        self._observer.clear()
        for connector in self._connectors.values():
            connector.stop()

    def _show(self) -> None:
        """Parameters to widgets; as in Slicer, not while a scene is closed or read."""
        if self._busy or slicer.mrmlScene.IsBatchProcessing():
            return
        self._busy = True
        try:
            for name, connector in self._connectors.items():
                connector.show(self._wrapper.getValue(name))
        finally:
            self._busy = False

    def _take(self, name: str) -> None:
        """One widget to its parameter."""
        if self._busy:
            return
        self._busy = True
        try:
            self._wrapper.setValue(name, self._connectors[name].value())
        finally:
            self._busy = False
        self._show()


class _Alive:
    """What `SceneObserver` asks whether it still lives; connections end by `disconnect` alone."""
