"""Sample data: phantoms drawn on this computer, so that the tutorial needs no download."""

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_image
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.slicer_bridge import nodes, shown_case

from .busy import busy
from .run_state import proposed

FOLDER, UNLABELED, LABELED, TEST, SEED = "ContrastiveSegPhantoms", 12, 2, 2, 0


def folderOf(logic) -> Path:
    """Where the phantoms are drawn."""
    return logic.runsFolder() / FOLDER


def make(logic) -> list:
    """Draw the phantoms once, load an annotated and an unseen patient, show the first, fill in step 1."""
    folder = folderOf(logic)
    panel = _openPanel()
    label = panel.ui.dataState if panel is not None else None
    with busy(_("drawing phantoms"), label):
        if not (folder / "unlabeled").is_dir():
            write_phantom_folder(
                folder,
                PhantomCounts(unlabeled=UNLABELED, labeled=LABELED, test=TEST),
                seed=SEED,
                overwrite=True,
            )
        loaded = [_load(folder / part) for part in ("labeled", "test")]
    shown_case.show_only(nodes.case_of(loaded[0]), loaded[0])
    shown_case.bring_into_view(loaded[0])
    slicer.util.showStatusMessage(_("The phantoms are in {folder}").format(folder=folder), 5000)
    _fillIn(logic, folder)
    return loaded


def _load(folder: Path):
    case = find_cases(folder).cases[0]
    found = nodes.find_volume(case.name)
    if found is not None and found.GetAttribute(nodes.FILE) == str(case.images[0]):
        return found
    nodes.set_aside(case.name)
    image = read_image(case.images).volume
    return nodes.add_volume(image, case.name, case=case.name, file=case.images[0])[0]


def _fillIn(logic, folder: Path) -> None:
    """Step 1 with the phantoms and a run folder for them, whether the panel is open or not."""
    parameters = logic.getParameterNode()
    if parameters.dataFolder != str(folder) or not parameters.runFolder:
        parameters.runFolder = proposed(logic.runsFolder(), folder)
    parameters.dataFolder = str(folder)
    panel = _openPanel()
    if panel is not None:
        panel.fill()


def _openPanel() -> Any | None:
    """The Panel, if the module was opened."""
    return getattr(getattr(slicer.modules, "ContrastiveSegWidget", None), "panel", None)
