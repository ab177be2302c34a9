"""The volume that was predicted: of the data folder, of the scene, or its copy in the run folder."""

from pathlib import Path

from slicer.i18n import tr as _

from ContrastiveSegLib.file_io.files import read_image, write_image
from ContrastiveSegLib.slicer_bridge import nodes, predictions

# Attribute of a volume of the scene: the copy that the jobs were given, and when it was written.
PREDICTED = "ContrastiveSeg.Predicted"

# Alone in a folder, a file of this name is called after the folder; other names may hold words that the jobs
# take for a sequence, a channel or a role.
COPY = "image.nrrd"


def find(panel, case: str):
    """The volume node of a predicted case; None if its image is nowhere.

    Raises:
        BadFile: The copy in the run folder cannot be read.
    """
    data, copy = panel.data, copyOf(panel.run, case)
    if data.reader.case(case) is not None:
        return data.volumeOf(case) or data.load(case)
    found = nodes.find_volume(case)
    if found is not None and found.GetAttribute(PREDICTED) == predictions.version(copy):
        return found
    if not copy.is_file():
        return None
    with panel.predict.busy(_("opening {case}").format(case=case)):
        image = read_image((copy,)).volume
        nodes.set_aside(case)
        made = nodes.add_volume(image, case, case=case, file=copy)[0]
    made.SetAttribute(PREDICTED, predictions.version(copy))
    return made


def copyOf(run, case: str) -> Path:
    """Where a volume of the scene is written for the jobs, so that they call it as it is called here."""
    return run.panel / "input" / case / COPY


def export(volume, run) -> dict:
    """Write a volume of the scene where a job can read it; the job's setting that names the place.

    Raises:
        BadFile: The volume is empty or sheared.
        CannotWrite: The disk refuses.
    """
    copy = copyOf(run, nodes.case_of(volume))
    write_image(copy, nodes.volume_of(volume), overwrite=True)
    volume.SetAttribute(PREDICTED, predictions.version(copy))
    return {"images": str(copy.parent)}
