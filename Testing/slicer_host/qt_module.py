"""The module `qt`: all classes of Qt that a scripted module of Slicer may use, with PythonQt's manners."""

from __future__ import annotations

import os
from types import ModuleType

from PySide6 import QtCore, QtGui, QtWidgets

from .dialogs import lay_over_dialogs
from .noise import quiet_qt
from .pythonqt import lay_over_pyside
from .settings import QSettings
from .ui_files import QFile, QUiLoader

# Of PySide6 alone: code that uses them would not run in Slicer.
_NOT_IN_PYTHONQT = {"QEnum", "QFlag", "QtMsgType"}


def qt_application() -> QtWidgets.QApplication:
    """The one Qt application of the process, without a display."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    quiet_qt()
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
    application.setQuitOnLastWindowClosed(False)
    return application


def make_qt_module() -> ModuleType:
    """Lay PythonQt's manners over PySide6 and collect its classes under one name."""
    lay_over_pyside()
    lay_over_dialogs()
    module = ModuleType("qt", __doc__)
    for source in (QtCore, QtGui, QtWidgets):
        for name in dir(source):
            if (name.startswith("Q") and name not in _NOT_IN_PYTHONQT) or name == "Qt":
                setattr(module, name, getattr(source, name))
    module.QFile = QFile
    module.QSettings = QSettings
    module.QUiLoader = QUiLoader
    return module
