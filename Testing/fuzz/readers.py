"""What the module in 3D Slicer reads without starting a job: of a run folder, an archive, and a process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.events_overview import overview
from ContrastiveSegLib.runs.metrics import best_dice
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.slicer_bridge.annotation_record import written_files
from ContrastiveSegLib.slicer_bridge.process import find, last
from ContrastiveSegLib.slicer_bridge.run_archive import import_run, name_in
from ContrastiveSegLib.slicer_bridge.run_removal import contents_of

MODULE = Path(__file__).resolve().parents[2] / "ContrastiveSeg"


def outcome(name: str, folder: Path) -> int:
    """0, or 1 if it was refused in words."""
    try:
        READERS[name](folder)
    except ContrastiveSegError:
        return 1
    return 0


def _of_the_panel(file: str) -> Any:
    """A file of the panel that needs neither Slicer nor Qt."""
    if str(MODULE) not in sys.path:
        sys.path.insert(0, str(MODULE))
    return importlib.import_module(f"ContrastiveSegPanel.{file}")


def _events(folder: Path) -> None:
    overview(_run(folder).events)
    read_new(_run(folder).events)


def _process(folder: Path) -> None:
    last(_run(folder).panel, run=_run(folder))
    find(_run(folder).panel)


def _structures(folder: Path) -> None:
    reader = SimpleNamespace(table=None)
    _of_the_panel("structures").known(SimpleNamespace(run=_run(folder), data=SimpleNamespace(reader=reader)))


def _suggestions(folder: Path) -> None:
    for one in _of_the_panel("suggestions").read(_run(folder)):
        f"{one.key}{one.score:.2f}{hash(one)}"


def _archive(folder: Path) -> None:
    file = folder / "data" / "run.zip"
    name_in(file)
    contents_of(import_run(file, folder / "new"))


def _record(folder: Path) -> None:
    written_files(_run(folder))
    contents_of(_run(folder))


def _run(folder: Path) -> RunFolder:
    return RunFolder(folder / "run")


READERS: dict[str, Callable[[Path], Any]] = {
    "read events": _events,
    "read process": _process,
    "read structures": _structures,
    "read suggestions": _suggestions,
    "read metrics": lambda folder: best_dice(ModelFolder(_run(folder).finetune(1)).metrics),
    "read record": _record,
    "import": _archive,
}
