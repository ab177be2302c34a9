"""Show what a job predicted: a new segmentation in 2D and 3D, its volumes in ml, its uncertainty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.slicer_bridge.nodes import CASE, MAP, case_of, put_beside, segment_masks
from ContrastiveSegLib.slicer_bridge.shown_case import bring_into_view, center_3d, of_cases, show_only

PREDICTION = "ContrastiveSeg.Prediction"  # attribute: the file that a segmentation was loaded from
VERSION = "ContrastiveSeg.Version"  # attribute: that file, and when it was written
VOLUMES = "ContrastiveSeg.Volumes"  # attribute of a table: it lists the volumes of a case's structures
UNCERTAINTY_COLORS = "vtkMRMLColorTableNodeFileInferno.txt"
# Where Slicer was built without its color files: dark violet over orange to light yellow, as in Inferno.
RAMP = ((0.0, 0.0, 0.02), (0.34, 0.06, 0.43), (0.74, 0.22, 0.33), (0.98, 0.56, 0.04), (0.99, 1.0, 0.64))
RAMP_NAME = "ContrastiveSeg uncertainty"
SHOWN_ABOVE = 0.1  # of an entropy of 0...1: below, the anatomy stays visible
FILL_OPACITY = 0.35
QUICK_VOXELS = 6_000_000  # surfaces of more took longer than a second, of 52 million eight seconds


def show_prediction(path: Path, volume: Any, name: str, *, in_3d: bool = True) -> Any:
    """Load a predicted .seg.nrrd as a new segmentation node on the grid of its volume, and show it alone.

    A node into which this very file was loaded before is shown again.

    Raises:
        BadFile: The file is not there or cannot be loaded.
    """
    node = load_prediction(path, volume, name)
    show_only(case_of(volume), volume, segmentation=node)
    bring_into_view(volume)
    if in_3d:
        show_in_3d(node)
    return node


def load_prediction(path: Path, volume: Any, name: str) -> Any:
    """The segmentation node of a predicted .seg.nrrd: the one there is, else a new one, not yet shown.

    Raises:
        BadFile: The file is not there or cannot be loaded.
    """
    found = of_cases("vtkMRMLSegmentationNode")
    node = next((node for node in found if node.GetAttribute(VERSION) == version(path)), None)
    if node is None:
        node = _loaded(path, name)
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        node.SetAttribute(PREDICTION, str(path))
        node.SetAttribute(VERSION, version(path))
        put_beside(node, volume)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetOpacity2DFill(FILL_OPACITY)
    return node


def show_in_3d(node: Any, *, if_quick: bool = False) -> None:
    """The surfaces of a segmentation, seen as a whole.

    Args:
        if_quick: In a large volume leave it at the surfaces that were made before.
    """
    if not if_quick or _voxels_of(node) <= QUICK_VOXELS:
        node.CreateClosedSurfaceRepresentation()
    center_3d(node)


def has_surfaces(node: Any) -> bool:
    """Whether the surfaces of a segmentation are made."""
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    return bool(node.GetSegmentation().ContainsRepresentation(name))


def _voxels_of(node: Any) -> int:
    """Of the grid that the segments are drawn on, together."""
    total = 0
    for identity in node.GetSegmentation().GetSegmentIDs():
        labels = node.GetBinaryLabelmapInternalRepresentation(identity)
        total = max(total, labels.GetNumberOfPoints() if labels is not None else 0)
    return total


def version(path: Path) -> str:
    """A text that tells a file from what stands in its place after the next job."""
    return f"{path} {path.stat().st_mtime_ns if path.is_file() else 0}"


def load_uncertainty(path: Path, volume: Any, name: str) -> Any:
    """Load an uncertainty map without showing it; a map of an earlier prediction in its place is removed.

    Raises:
        BadFile: The file is not there or cannot be loaded.
    """
    if not path.is_file():
        raise BadFile(
            f"There is no uncertainty map {path}.", "Predict again with the uncertainty switched on."
        )
    for node in of_cases("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(VERSION) == version(path):
            return node
        if node.GetAttribute(MAP) == str(path):
            slicer.mrmlScene.RemoveNode(node)
    read_geometry([path])  # refuses a header that would end Slicer's reader, and Slicer
    node = slicer.util.loadVolume(str(path), {"name": name, "show": False})
    node.SetAttribute(MAP, str(path))
    node.SetAttribute(VERSION, version(path))
    put_beside(node, volume)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_uncertainty_colors())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, 1)
    display.SetThreshold(SHOWN_ABOVE, 1)
    display.ApplyThresholdOn()
    return node


def volumes_ml(segmentation: Any, volume: Any) -> dict[str, float]:
    """The volume of each segment in ml, counted in voxels of the volume's grid."""
    per_voxel = float(np.prod(volume.GetSpacing())) / 1000
    masks = segment_masks(segmentation, volume)
    return {name: float(np.count_nonzero(mask)) * per_voxel for name, mask in masks}


def write_volumes_table(found: dict[str, float], volume: Any, name: str) -> Any:
    """The table node with the volumes of a case, so that they are saved with the scene; one for each case."""
    case = case_of(volume)
    tables = [node for node in of_cases("vtkMRMLTableNode") if node.GetAttribute(VOLUMES)]
    table = next((node for node in tables if node.GetAttribute(CASE) == case), None)
    if table is None:
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
        table.SetAttribute(CASE, case)
        table.SetAttribute(VOLUMES, "1")
    table.RemoveAllColumns()
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
    read_geometry([path])
    try:
        return slicer.util.loadSegmentation(str(path), {"name": name})
    except RuntimeError as error:
        raise BadFile(f"The prediction {path} cannot be loaded ({error}).", "Predict again.") from error
