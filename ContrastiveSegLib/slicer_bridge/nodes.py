"""Scene nodes to volumes and back: the only place where LPS becomes RAS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.volume import Geometry, Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Attributes of nodes. Every node that is made here carries its case, so that no other case is shown with it.
CASE = "ContrastiveSeg.Case"
FILE = "ContrastiveSeg.File"  # of a volume: the file it was loaded from
MAP = "ContrastiveSeg.Map"  # of a volume that is laid over another: its file
# What Windows refuses in the names of files, and what glob patterns of the jobs would take for wildcards.
REFUSED = re.compile(r"[^\w.\-]+")
LARGEST_SHEAR = 1e-3  # cosine between two axes that should be at right angles


def ijk_to_ras(geometry: Geometry) -> npt.NDArray[np.float64]:
    """The matrix (4, 4) that Slicer wants for a grid in LPS."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(geometry.direction, (3, 3)) * np.asarray(geometry.spacing)
    matrix[:3, 3] = geometry.origin
    return np.asarray(LPS_TO_RAS @ matrix)


def geometry_of(node: Any) -> Geometry:
    """The grid of a volume node in LPS, without the transforms it lies under.

    Raises:
        BadFile: The node has no voxels, or its axes are not at right angles.
    """
    image = node.GetImageData()
    if image is None or 0 in image.GetDimensions():
        raise BadFile(f"The volume '{node.GetName()}' has no voxels.", "Choose another volume.")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    lps = LPS_TO_RAS @ slicer.util.arrayFromVTKMatrix(matrix)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    direction = lps[:3, :3] / spacing
    if np.abs(direction.T @ direction - np.eye(3)).max() > LARGEST_SHEAR:
        raise BadFile(
            f"The axes of the volume '{node.GetName()}' are not at right angles (a sheared acquisition).",
            "Resample it with the module Resample Scalar Volume first.",
        )
    return Geometry.from_lists(
        image.GetDimensions(), spacing.tolist(), lps[:3, 3].tolist(), direction.ravel().tolist()
    )


def volume_of(node: Any) -> Volume:
    """The voxels (1, K, H, W) of a scalar volume node and their place in the patient.

    Raises:
        BadFile: The node is empty, or its axes are not at right angles.
    """
    geometry = geometry_of(node)  # refuses an empty node before its voxels are asked for
    return Volume(np.array(slicer.util.arrayFromVolume(node))[None], geometry)


def add_volume(volume: Volume, name: str, *, case: str = "", file: Path | None = None) -> tuple[Any, ...]:
    """New scalar volume nodes in the scene, one per channel; the first one bears the name.

    Args:
        volume: (C, K, H, W).
        case: The case it comes from, remembered at the node.
        file: Its first file, remembered likewise: cases of two folders may have one name.
    """
    matrix = slicer.util.vtkMatrixFromArray(ijk_to_ras(volume.geometry))
    nodes = []
    for number, channel in enumerate(volume.array, start=1):
        called = name if number == 1 else f"{name} (channel {number})"
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", called)
        slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(_smallest(channel)))
        node.SetIJKToRASMatrix(matrix)
        node.CreateDefaultDisplayNodes()
        if case:
            node.SetAttribute(CASE, case)
        if file is not None:
            node.SetAttribute(FILE, str(file))
        nodes.append(node)
    return tuple(nodes)


def find_volume(case: str) -> Any | None:
    """The volume node that was loaded from a case, if it is still in the scene."""
    return next((node for node in _volumes() if node.GetAttribute(CASE) == case), None)


def case_of(volume: Any) -> str:
    """The case that a volume shows; a volume of the scene becomes a case of its own, named after it."""
    case = volume.GetAttribute(CASE)
    if not case:
        case = _free(safe_name(volume.GetName()))
        volume.SetAttribute(CASE, case)
    return str(case)


def safe_name(text: str) -> str:
    """A file name from any text: letters, digits, dot, dash and underscore."""
    return REFUSED.sub("_", text).strip("._") or "volume"


def set_aside(case: str) -> str:
    """Give another name to the case that the scene knows by this one, because it is another patient's now."""
    scene, renamed = slicer.mrmlScene, _free(case)
    for number in range(scene.GetNumberOfNodes()):
        if scene.GetNthNode(number).GetAttribute(CASE) == case:
            scene.GetNthNode(number).SetAttribute(CASE, renamed)
    return renamed


def _free(name: str) -> str:
    taken = {volume.GetAttribute(CASE) for volume in _volumes()}
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _volumes() -> list[Any]:
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if not node.GetAttribute(MAP)]


def put_beside(node: Any, volume: Any) -> None:
    """Let a node belong to the case of a volume, move with it, and lie beside it in the data tree."""
    node.SetAttribute(CASE, case_of(volume))
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parent = tree.GetItemParent(tree.GetItemByDataNode(volume))
    tree.SetItemParent(tree.GetItemByDataNode(node), parent)


def segment_masks(segmentation: Any, volume: Any) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Name and mask (K, H, W) on the grid of a volume, segment by segment.

    As slicer.util.arrayFromSegmentBinaryLabelmap, but with one temporary node for all segments: each node
    that comes and goes lets every node selector of the application look through the scene.

    Raises:
        RuntimeError: Slicer could not export a segment.
    """
    labelmap = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "__temp__")
    segments, logic = segmentation.GetSegmentation(), slicer.modules.segmentations.logic()
    try:
        for identity in segments.GetSegmentIDs():
            chosen = vtk.vtkStringArray()
            chosen.InsertNextValue(identity)
            if not logic.ExportSegmentsToLabelmapNode(segmentation, chosen, labelmap, volume):
                raise RuntimeError(f"The segment {identity} of {segmentation.GetName()} cannot be read.")
            yield segments.GetSegment(identity).GetName(), slicer.util.arrayFromVolume(labelmap) > 0
    finally:
        display = labelmap.GetDisplayNode()
        for node in (display.GetColorNode() if display is not None else None, labelmap):
            if node is not None:
                slicer.mrmlScene.RemoveNode(node)


def jump_to(volume: Any, ijk: tuple[float, float, float]) -> None:
    """Show a voxel of a volume in all slice views, with one view along the grid of the volume."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    point = [float(x) for x in matrix.MultiplyPoint([*ijk, 1.0])[:3]]
    if (parent := volume.GetParentTransformNode()) is not None:
        to_world = vtk.vtkGeneralTransform()
        parent.GetTransformToWorld(to_world)
        point = list(to_world.TransformPoint(point))
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        view.RotateToVolumePlane(volume)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *point, slicer.vtkMRMLSliceNode.CenteredJumpSlice)


def shown_index(volume: Any, axis: int) -> int | None:
    """Which slice of a volume along its axis 0, 1 or 2 (i, j, k) is shown; None where no view shows one.

    Of several views that show whole slices of the axis, the first one counts.
    """
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    to_ras = slicer.util.arrayFromVTKMatrix(matrix)
    along = to_ras[:3, axis] / np.linalg.norm(to_ras[:3, axis])
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        plane = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
        if abs(abs(float(plane[:3, 2] @ along)) - 1) < 1e-3:
            index = np.linalg.inv(to_ras) @ plane[:, 3]
            return round(float(index[axis]))
    return None


def _smallest(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers as int16 where they fit: half the memory, and what scanners deliver."""
    whole = array.astype(np.int16) if np.abs(array).max(initial=0) < 2**15 else array
    return whole if np.array_equal(whole, array) else array
