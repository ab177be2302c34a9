"""Show what a job predicted: a new segmentation in 2D and 3D, its volumes in ml, its uncertainty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.slicer_bridge.nodes import put_beside, segment_masks

PREDICTION = "ContrastiveSeg.Prediction"  # attribute: the file that a segmentation was loaded from
UNCERTAINTY_COLORS = "vtkMRMLColorTableNodeFileInferno.txt"
# Where Slicer was built without its color files: dark violet over orange to light yellow, as in Inferno.
RAMP = ((0.0, 0.0, 0.02), (0.34, 0.06, 0.43), (0.74, 0.22, 0.33), (0.98, 0.56, 0.04), (0.99, 1.0, 0.64))
RAMP_NAME = "ContrastiveSeg uncertainty"
SHOWN_ABOVE = 0.1  # of an entropy of 0...1: below, the anatomy stays visible
OVERLAY_OPACITY = 0.6
FILL_OPACITY = 0.35


def show_prediction(path: Path, volume: Any, name: str, *, in_3d: bool = True) -> Any:
    """Load a predicted .seg.nrrd as a new segmentation node on the grid of its volume.

    Other predictions are hidden: in slices, the one loaded last would cover them.

    Raises:
        BadFile: The file is not there or cannot be loaded.
    """
    node = _loaded(path, name)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.SetAttribute(PREDICTION, str(path))
    put_beside(node, volume)
    for other in predictions():
        if other is not node and other.GetDisplayNode() is not None:
            other.GetDisplayNode().SetVisibility(False)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity2DFill(FILL_OPACITY)
    slicer.util.setSliceViewerLayers(background=volume)
    if in_3d:
        node.CreateClosedSurfaceRepresentation()
        slicer.util.resetThreeDViews()
    return node


def predictions() -> tuple[Any, ...]:
    """The segmentation nodes of the scene that came from predictions."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return tuple(node for node in nodes if node.GetAttribute(PREDICTION))


def load_uncertainty(path: Path, volume: Any, name: str) -> Any:
    """Load an uncertainty map without showing it.

    Raises:
        BadFile: The file is not there or cannot be loaded.
    """
    if not path.is_file():
        raise BadFile(
            f"There is no uncertainty map {path}.", "Predict again with the uncertainty switched on."
        )
    node = slicer.util.loadVolume(str(path), {"name": name, "show": False})
    put_beside(node, volume)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_uncertainty_colors())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, 1)
    display.SetThreshold(SHOWN_ABOVE, 1)
    display.ApplyThresholdOn()
    return node


def show_uncertainty(node: Any | None) -> None:
    """Lay a map over the volume in the slice views; None takes it away."""
    slicer.util.setSliceViewerLayers(
        foreground=node, foregroundOpacity=OVERLAY_OPACITY if node is not None else 0.0
    )


def volumes_ml(segmentation: Any, volume: Any) -> dict[str, float]:
    """The volume of each segment in ml, counted in voxels of the volume's grid."""
    per_voxel = float(np.prod(volume.GetSpacing())) / 1000
    masks = segment_masks(segmentation, volume)
    return {name: float(np.count_nonzero(mask)) * per_voxel for name, mask in masks}


def add_volumes_table(found: dict[str, float], name: str) -> Any:
    """A table node with the volumes, so that they are saved with the scene."""
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    names, amounts = vtk.vtkStringArray(), vtk.vtkDoubleArray()
    names.SetName("structure")
    amounts.SetName("volume ml")
    for structure, volume in found.items():
        names.InsertNextValue(structure)
        amounts.InsertNextValue(volume)
    table.AddColumn(names)
    table.AddColumn(amounts)
    table.SetUseColumnTitleAsColumnHeader(True)
    return table


def _uncertainty_colors() -> str:
    """The node of Slicer's own table, or of one that is made once."""
    scene = slicer.mrmlScene
    if scene.GetNodeByID(UNCERTAINTY_COLORS) is not None:
        return UNCERTAINTY_COLORS
    made = slicer.util.getFirstNodeByClassByName("vtkMRMLColorTableNode", RAMP_NAME)
    if made is None:
        made = scene.AddNewNodeByClass("vtkMRMLColorTableNode", RAMP_NAME)
        made.SetTypeToUser()
        made.SetNumberOfColors(256)
        places = np.linspace(0, 1, len(RAMP))
        for number, place in enumerate(np.linspace(0, 1, 256)):
            color = [float(np.interp(place, places, channel)) for channel in zip(*RAMP, strict=True)]
            made.SetColor(number, f"{place:.2f}", *color, 1.0)
    return str(made.GetID())


def _loaded(path: Path, name: str) -> Any:
    if not path.is_file():
        raise BadFile(f"There is no prediction {path}.", "Predict again, or choose the run's new place.")
    try:
        return slicer.util.loadSegmentation(str(path), {"name": name})
    except RuntimeError as error:
        raise BadFile(f"The prediction {path} cannot be loaded ({error}).", "Predict again.") from error
