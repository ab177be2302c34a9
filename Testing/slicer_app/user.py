"""What a user does in Slicer, in the names that the application has: click, choose, wait, look."""

import time
from pathlib import Path

import numpy as np
import slicer

MODULE = "ContrastiveSeg"
STEPS = ("setup", "data", "pretrain", "annotate", "finetune", "predict")
DARK = 8  # of 255; a picture whose gray values differ by less shows nothing


class User:
    """Plays with the panel of the module.

    Args:
        folder: For data, runs and pictures.
        photograph: Saves a picture of the whole window: a function of a path.
        session: Its name begins those of the pictures.
    """

    def __init__(self, folder: Path, photograph, session: str) -> None:
        self.folder, self._photograph, self._session = folder, photograph, session
        self.facts, self._photos = {}, 0

    @property
    def widget(self):
        """The module's widget object; a new one after Reload."""
        return slicer.util.getModuleWidget(MODULE)

    @property
    def ui(self):
        """The widgets of the .ui file by name."""
        return self.widget.ui

    def child(self, name: str):
        """A widget by its name, also one that the panel made."""
        return slicer.util.findChild(self.widget.uiWidget, name)

    def enter(self) -> None:
        """Open the module."""
        slicer.util.selectModule(MODULE)
        self.look()

    def unfold(self, step: str) -> None:
        """Open one step and close the others."""
        for name in STEPS:
            getattr(self.ui, f"{name}Step").collapsed = name != step
        self.look()

    def state(self, step: str) -> str:
        """The first word of a step's state: done, ready, working, missing, failed."""
        return str(getattr(self.ui, f"{step}State").property("state"))

    def click(self, button) -> None:
        """Press a button that can be pressed."""
        assert button.enabled, f"{button.text} is off: {button.toolTip}"
        button.click()

    def double_click(self, table, row: int) -> None:
        """Double click a row of a table."""
        signal = table.cellDoubleClicked
        # Older PythonQt emits a signal by calling it.
        (signal.emit if hasattr(signal, "emit") else signal)(row, 0)

    def job(self, name: str, seconds: float = 120) -> None:
        """Press a job's button, and wait for its end."""
        self.click(self.child(f"{name}Start"))
        monitor = self.widget.panel.monitor
        assert monitor.isBusy, self.child(f"{name}Line").text
        self.wait(lambda: not monitor.isBusy, seconds, f"the end of {name}")

    def wait(self, condition, seconds: float = 30, what: str = "") -> None:
        """Let Slicer work until something has happened."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"still waiting after {seconds} s: {what}"
            self.look()
            time.sleep(0.01)

    def look(self) -> None:
        """Let Slicer draw and answer."""
        slicer.app.processEvents()

    def photo(self, name: str) -> None:
        """A picture of the window, which must show something."""
        for _ in range(3):
            self.look()
        self._photos += 1
        path = self.folder / "pictures" / f"{self._session}_{self._photos:02}_{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._photograph(path)
        assert shades(path) > DARK, f"{path} shows nothing"

    def note(self, **facts) -> None:
        """Keep what was found, to be compared with what another Slicer finds."""
        self.facts.update(facts)


def shades(path: Path) -> float:
    """Standard deviation of the gray values of a picture."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    return float(np.std(vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars()).astype(float)))
