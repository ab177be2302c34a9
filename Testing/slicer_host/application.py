"""`slicer.app`: the application object, with a home, a temporary folder and settings of its own."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PySide6.QtCore import Property, QObject, QProcessEnvironment, Signal
from PySide6.QtGui import QClipboard
from PySide6.QtWidgets import QApplication, QWidget

from .pythonqt import stand_in
from .settings import QSettings

VERSION = (5, 12, 0)


@stand_in
class qSlicerApplication(QObject):
    """The names of Slicer's application that a scripted module needs."""

    startupCompleted = Signal()
    aboutToQuit = Signal()
    lastWindowClosed = Signal()
    mrmlSceneChanged = Signal(object)

    def __init__(self, folder: Path, scene: Any, application_logic: Any) -> None:
        super().__init__()
        self._folder = folder
        self._scene = scene
        self._application_logic = application_logic
        self._parts: SimpleNamespace = SimpleNamespace()
        self._testing = False
        self._exit_code: int | None = None
        self._options = SimpleNamespace(runPythonAndExit=False, noMainWindow=False, testingEnabled=False)
        self._settings = QSettings(str(folder / "Slicer.ini"), QSettings.Format.IniFormat)
        _make_home(folder / "home")
        (folder / "temporary").mkdir(exist_ok=True)

    slicerHome = Property(str, lambda self: str(self._folder / "home"))
    temporaryPath = Property(str, lambda self: str(self._folder / "temporary"))
    cachePath = Property(str, lambda self: str(self._folder / "temporary"))
    defaultScenePath = Property(str, lambda self: str(self._folder))
    extensionsInstallPath = Property(str, lambda self: str(self._folder / "extensions"))
    applicationName = Property(str, lambda _self: "Slicer")
    mainApplicationName = Property(str, lambda _self: "Slicer")
    applicationVersion = Property(str, lambda _self: ".".join(map(str, VERSION)) + "-2026-06-01")
    majorVersion = Property(int, lambda _self: VERSION[0])
    minorVersion = Property(int, lambda _self: VERSION[1])
    os = Property(str, lambda _self: {"Darwin": "macosx", "Windows": "win"}.get(platform.system(), "linux"))
    arch = Property(str, lambda _self: "amd64")
    isInstalled = Property(bool, lambda _self: True)

    def applicationLogic(self) -> Any:
        """Slicer's own application logic."""
        return self._application_logic

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene

    def layoutManager(self) -> Any:
        """The manager of the views; None without a main window."""
        return None if self._options.noMainWindow else self._parts.layout_manager

    def coreIOManager(self) -> Any:
        """What reads and writes files."""
        return self._parts.io_manager

    def ioManager(self) -> Any:
        """What reads and writes files."""
        return self._parts.io_manager

    def moduleManager(self) -> Any:
        """What knows the modules."""
        return self._parts.module_manager

    def moduleLogic(self, name: str) -> Any:
        """The logic of a module."""
        return self._parts.module_manager.module(name).logic()

    def processEvents(self) -> None:
        """Let Qt do what waits."""
        QApplication.processEvents()

    def settings(self) -> QSettings:
        """The settings of the application."""
        return self._settings

    def userSettings(self) -> QSettings:
        """The settings of the user."""
        return self._settings

    def testingEnabled(self) -> bool:
        """Whether Slicer was started with --testing."""
        return self._testing

    def arguments(self) -> tuple[str, ...]:
        """The command line."""
        return tuple(sys.argv)

    def commandOptions(self) -> SimpleNamespace:
        """The command line, read."""
        return self._options

    def startupEnvironment(self) -> QProcessEnvironment:
        """The environment without what the launcher added; it added nothing here."""
        environment = QProcessEnvironment()
        for name, value in os.environ.items():
            environment.insert(name, value)
        return environment

    def clipboard(self) -> QClipboard:
        """What was copied last in any program."""
        return QApplication.clipboard()

    def topLevelWidgets(self) -> list[QWidget]:
        """All windows."""
        return QApplication.topLevelWidgets()

    def pythonConsole(self) -> None:
        """There is no Python console."""
        return

    def setOverrideCursor(self, cursor: Any) -> None:
        """Show another cursor everywhere."""
        QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        """Take the last cursor away."""
        QApplication.restoreOverrideCursor()

    def pauseRender(self) -> None:
        """Views render when painted; there is nothing to pause."""

    def resumeRender(self) -> None:
        """Views render when painted; there is nothing to resume."""

    def setRenderPaused(self, paused: bool) -> None:
        """Views render when painted; there is nothing to pause."""

    def toSlicerHomeAbsolutePath(self, path: str) -> str:
        """The path under Slicer's home."""
        return str(Path(self.slicerHome) / path)

    def exit(self, code: int = 0) -> None:
        """Remember that the application was asked to end; the tests go on."""
        self._exit_code = code


def _make_home(home: Path) -> None:
    """A home with bin/PythonSlicer, which is the interpreter of the tests: it too has no torch."""
    launcher = home / "bin" / "PythonSlicer"
    if not launcher.exists():
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        launcher.chmod(0o755)
