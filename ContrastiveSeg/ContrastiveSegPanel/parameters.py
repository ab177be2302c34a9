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
    pieces: str = "auto"
    inputVolume: slicer.vtkMRMLScalarVolumeNode
    replacePredictions: bool = True
