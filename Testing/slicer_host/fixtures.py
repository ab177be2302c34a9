"""Fixtures for tests that click a panel: a fresh Slicer, a loader of panels, waiting, and pictures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .dialogs import DIALOGS, Dialogs
from .host import Host, start
from .packaging import INSTALLATIONS, Installations
from .pictures import as_array, as_qt_image, picture_of


class SlicerForTests:
    """What a test holds in its hands: the application, the dialogs it showed, the packages it asked for."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.dialogs: Dialogs = DIALOGS
        self.installations: Installations = INSTALLATIONS
        self.errors = host.errors

    @property
    def main_window(self) -> Any:
        """The window with panel and views."""
        return self._host.main_window

    def load_module(self, path: Path | str) -> Any:
        """Load a scripted module from its file, as Slicer does when it starts."""
        return self._host.load_module(path)

    def open_panel(self, path: Path | str) -> Any:
        """Load a module, open it as a user does, show the window, and return the module's widget object."""
        module = self.load_module(path)
        self._host.slicer.util.selectModule(module.name)
        self.main_window.show()
        self.process_events()
        return self._host.slicer.util.getModuleWidget(module.name)

    def process_events(self) -> None:
        """Let Qt do what waits."""
        self._host.app.processEvents()

    def finish_startup(self) -> None:
        """Tell the modules that Slicer has started: some register sample data then."""
        self._host.app.startupCompleted.emit()

    def restart(self) -> None:
        """Quit Slicer and start it again: settings stay, but have lost their types; open the panel anew."""
        self._host.restart()

    def pretend_testing_mode(self) -> None:
        """As if Slicer had been started with --testing."""
        self._host.app._testing = True

    def wait_until(self, condition: Callable[[], Any], timeout_s: float = 10.0, what: str = "") -> None:
        """Run Qt's events until the condition holds; fail with a sentence if it does not in time."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"Still waiting after {timeout_s} s{': ' + what if what else ''}.")
            self.process_events()
            time.sleep(0.02)  # the jobs that are waited for need the processor

    def photograph(self, widget: Any, path: Path | str | None = None) -> np.ndarray:
        """A picture of a widget as (rows, columns, RGB), also saved if a path is given."""
        self.process_events()
        image = widget.grab().toImage()
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            image.save(str(path))
        return as_array(image)

    def render(
        self, view: Any, size: tuple[int, int] = (400, 400), path: Path | str | None = None, fit: bool = True
    ) -> np.ndarray:
        """A picture of a slice, 3D or plot view, given by its name ("Red", "3D", "Plot") or as a widget."""
        widget = self._view_widget(view)
        widget.resize(*size)
        widget.viewWidget().resize(*size)
        if fit and hasattr(widget, "fitSliceToBackground"):
            widget.fitSliceToBackground()
        widget.viewWidget()._fit()
        picture = picture_of(widget.viewWidget().renderWindow())
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            as_qt_image(picture).save(str(path))
        return picture

    def _view_widget(self, view: Any) -> Any:
        manager = self._host.app.layoutManager()
        special = {"3D": manager.threeDWidget, "Plot": manager.plotWidget}
        if not isinstance(view, str):
            return view
        found = special[view](0) if view in special else manager.sliceWidget(view)
        if found is None:
            raise AssertionError(f"The layout {manager.layout} has no view '{view}'.")
        return found


@pytest.fixture
def a_slicer(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlicerForTests]:
    """A Slicer with an empty scene. What was raised in slots, where Slicer only prints it, fails the test."""
    host = start()

    def remember(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        host.errors.append(error)
        sys.__excepthook__(kind, error, traceback)

    monkeypatch.setattr(sys, "excepthook", remember)
    yield SlicerForTests(host)
    errors = list(host.errors)
    host.reset()
    assert not errors, (
        f"Raised in a slot or an observer: {errors}. A test that expects it clears a_slicer.errors."
    )


@pytest.fixture
def a_panel(a_slicer: SlicerForTests) -> Callable[[Path | str], Any]:
    """A loader of panels: `a_panel(path_of_module_file)` opens it and gives its widget object."""
    return a_slicer.open_panel
