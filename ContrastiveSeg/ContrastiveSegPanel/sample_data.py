"""Sample data: phantoms drawn on this computer, so that the tutorial needs no download."""

from pathlib import Path

import slicer

from ContrastiveSegLib.phantoms.phantom import write_phantom_folder
from ContrastiveSegLib.slicer_bridge import nodes
from ContrastiveSegLib.volumes.cases import find_cases
from ContrastiveSegLib.volumes.files import read_image

FOLDER, UNLABELED, LABELED, TEST, SEED = "ContrastiveSegPhantoms", 12, 2, 2, 0


def folderOf(logic) -> Path:
    """Where the phantoms are drawn."""
    return logic.runsFolder() / FOLDER


def make(logic) -> list:
    """Draw the phantoms once, load an annotated and an unseen patient, and fill in step 1."""
    folder = folderOf(logic)
    if not (folder / "unlabeled").is_dir():
        with slicer.util.WaitCursor():
            write_phantom_folder(
                folder, unlabeled=UNLABELED, labeled=LABELED, test=TEST, seed=SEED, overwrite=True
            )
    parameters = logic.getParameterNode()
    parameters.dataFolder = str(folder)
    loaded = []
    for part in ("labeled", "test"):
        case = find_cases(folder / part).cases[0]
        loaded.append(nodes.add_volume(read_image(case.images).volume, case.name, case=case.name)[0])
    return loaded
