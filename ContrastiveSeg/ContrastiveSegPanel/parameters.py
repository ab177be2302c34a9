"""What the panel remembers in the scene; everything else is in the run folder."""

import slicer
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class ContrastiveSegParameterNode:
    """Saved with the scene. Paths are texts, because an empty Path cannot be told from the current folder."""

    dataFolder: str = ""
    runFolder: str = ""
    pretrainedRun: str = ""
    method: str = ""
    pretrainPreset: str = "standard"
    pretrainOptions: str = "{}"
    structures: str = ""
    annotationKind: str = "slices"
    labelsFrom: str = "annotations"
    strategy: str = ""
    finetuneOptions: str = "{}"
    propagateModel: str = "auto"
    propagateCheckpoint: str = ""
    refineModel: str = "auto"
    refineCheckpoint: str = ""
    connectedComponents: str = "auto"
    inputVolume: slicer.vtkMRMLScalarVolumeNode
    replacePredictions: bool = True


# Scenes that were saved with an earlier version name some parameters otherwise.
FORMERLY = {"pieces": "connectedComponents"}


def withCurrentNames(node):
    """The same node of the scene, with what it says under an earlier name said under today's."""
    for before, now in FORMERLY.items():
        if value := node.GetParameter(before):
            node.SetParameter(now, value)
            node.UnsetParameter(before)
    return node
