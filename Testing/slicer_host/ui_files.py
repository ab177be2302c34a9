"""Reading of `.ui` files with the stand-ins; a class we do not have is an error, not a bare widget."""

from __future__ import annotations

import functools
import operator
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

_STAND_INS: dict[str, type] = {}


def offer(stand_ins: dict[str, type]) -> None:
    """Make these classes known to every loader."""
    _STAND_INS.update(stand_ins)


class QFile(QtCore.QFile):
    """A file that, as in Slicer, is named by a text and not by a `pathlib.Path`."""

    def __init__(self, *arguments: Any) -> None:
        if arguments and isinstance(arguments[0], Path):
            raise ValueError(f"Could not find matching overload for QFile(Path): give str('{arguments[0]}')")
        super().__init__(*arguments)


class QUiLoader(QtUiTools.QUiLoader):
    """The loader behind `slicer.util.loadUI`."""

    def load(self, file: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """Build the widgets of the file, then the connections it lists, which Qt cannot make for us."""
        tree = ElementTree.fromstring(bytes(file.readAll().data()))
        _refuse_unknown_classes(tree)
        _flags_as_numbers(tree)
        connections = tree.find("connections")
        if connections is not None:
            tree.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        _connect(widget, connections)
        return widget

    def createWidget(
        self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        """One of our stand-ins, or what Qt itself has."""
        if class_name not in _STAND_INS:
            return super().createWidget(class_name, parent, name)
        widget = _STAND_INS[class_name](parent)
        widget.setObjectName(name)
        return widget


def _refuse_unknown_classes(tree: ElementTree.Element) -> None:
    unknown = sorted(
        {
            str(widget.get("class"))
            for widget in tree.iter("widget")
            if widget.get("class") not in _STAND_INS and not hasattr(QtWidgets, str(widget.get("class")))
        }
    )
    if unknown:
        raise NotImplementedError(f"The Slicer for tests has no {', '.join(unknown)}: add a stand-in for it.")


def _flags_as_numbers(tree: ElementTree.Element) -> None:
    """Flags of our stand-ins are plain numbers, which Qt cannot look up by name."""
    for widget in tree.iter("widget"):
        cls = _STAND_INS.get(str(widget.get("class")))
        for flags in widget.findall("property/set") if cls is not None else ():
            names = [name.rpartition("::")[2] for name in str(flags.text).split("|")]
            if all(isinstance(getattr(cls, name, None), int) for name in names):
                flags.tag = "number"
                flags.text = str(functools.reduce(operator.or_, (getattr(cls, name) for name in names)))


def _connect(widget: QtWidgets.QWidget, connections: ElementTree.Element | None) -> None:
    for connection in connections if connections is not None else ():
        sender, signal, receiver, slot = (
            str(connection.findtext(part)) for part in ("sender", "signal", "receiver", "slot")
        )
        ends = [_named(widget, name) for name in (sender, receiver)]
        method = getattr(ends[1], slot.partition("(")[0], None)
        if not callable(method) or not ends[0].connect(signal, method):
            raise RuntimeError(
                f"Could not connect {sender}.{signal} with {receiver}.{slot}: no such signal or slot."
            )


def _named(widget: QtWidgets.QWidget, name: str) -> QtCore.QObject:
    found = widget if widget.objectName == name else widget.findChild(QtCore.QObject, name)
    if found is None:
        raise RuntimeError(f"The .ui file connects '{name}', which it does not contain.")
    return found
