"""Silence for what VTK and Qt complain about although nothing is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import qInstallMessageHandler
from vtkmodules.vtkCommonCore import vtkLogger, vtkObject

_NOTHING_WRONG = ("propagateSizeHints",)


@contextmanager
def quiet_vtk() -> Iterator[None]:
    """While views are made: the missing X server, and displayable managers that look for nodes too early."""
    # VTK says everything twice: the output window, which SlicerApp sets, is enough.
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    shown = vtkObject.GetGlobalWarningDisplay()
    vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        vtkObject.SetGlobalWarningDisplay(shown)


def quiet_qt() -> None:
    """What the off-screen platform of Qt cannot do, and no test needs."""

    def say(_kind: object, _context: object, text: str) -> None:
        if not any(part in text for part in _NOTHING_WRONG):
            print(text, file=sys.stderr)

    qInstallMessageHandler(say)
