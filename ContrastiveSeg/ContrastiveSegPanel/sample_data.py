"""Sample data: phantoms drawn on this computer, so that the tutorial needs no download."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.phantoms.phantom import write_phantom_folder
from ContrastiveSegLib.slicer_bridge import nodes
from ContrastiveSegLib.volumes.cases import find_cases
from ContrastiveSegLib.volumes.files import read_image

from .run_state import proposed

FOLDER, UNLABELED, LABELED, TEST, SEED = "ContrastiveSegPhantoms", 12, 2, 2, 0


def folderOf(logic) -> Path:
    """Where the phantoms are drawn."""
    return logic.runsFolder() / FOLDER


def make(logic) -> list:
    """Draw the phantoms once, load an annotated and an unseen patient, show the first, fill in step 1."""
    folder = folderOf(logic)
    with slicer.util.WaitCursor():
        if not (folder / "unlabeled").is_dir():
            slicer.util.showStatusMessage(_("Drawing phantoms ..."))
            write_phantom_folder(
                folder, unlabeled=UNLABELED, labeled=LABELED, test=TEST, seed=SEED, overwrite=True
            )
        loaded = [_load(folder / part) for part in ("labeled", "test")]
    slicer.util.setSliceViewerLayers(background=loaded[0], fit=True)
    slicer.util.showStatusMessage(_("The phantoms are in {folder}").format(folder=folder), 5000)
    _fillIn(logic, folder)
    return loaded


def _load(folder: Path):
    case = find_cases(folder).cases[0]
    return nodes.add_volume(read_image(case.images).volume, case.name, case=case.name)[0]


def _fillIn(logic, folder: Path) -> None:
    """Step 1 with the phantoms and a run folder for them, whether the panel is open or not."""
    parameters = logic.getParameterNode()
    if parameters.dataFolder != str(folder) or not parameters.runFolder:
        parameters.runFolder = proposed(logic.runsFolder(), folder)
    parameters.dataFolder = str(folder)
    widget = getattr(slicer.modules, "ContrastiveSegWidget", None)
    if getattr(widget, "panel", None) is not None:
        widget.panel.fill()
