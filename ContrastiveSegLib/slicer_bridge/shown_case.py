"""What the views show belongs to one case: whatever this module made of other cases is hidden."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import slicer

from ContrastiveSegLib.slicer_bridge.nodes import CASE

# Attribute of a segmentation that was hidden because another case was shown: it comes back with its own.
COMES_BACK = "ContrastiveSeg.ComesBack"
OVERLAY_OPACITY = 0.6


def show_only(case: str, volume: Any, *, segmentation: Any = None, overlay: Any = None) -> None:
    """Show the volume of a case, and of all that this module made what belongs to the case alone.

    Segmentations are hidden in slices and in 3D, maps are taken from the slices, tables from their views.
    What somebody else made is left as it is.

    Args:
        segmentation: The one that is to be seen, of several of this case; None: what was seen of it before
            another case took its place.
        overlay: A map over the volume; None: none.
    """
    for node in of_cases("vtkMRMLSegmentationNode"):
        _show_or_hide(node, case, segmentation)
    for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        view.SetBackgroundVolumeID(volume.GetID())
        _take_from_slices(view)
    if overlay is not None:
        lay_over(overlay)
    for view in slicer.util.getNodesByClass("vtkMRMLTableViewNode"):
        if _is_of_another(view.GetTableNode(), case):
            view.SetTableNodeID(None)


def of_cases(class_name: str) -> list[Any]:
    """The nodes of a class that this module made of cases."""
    return [node for node in slicer.util.getNodesByClass(class_name) if node.GetAttribute(CASE)]


def shown_segmentation(case: str) -> Any | None:
    """The segmentation of a case that can be seen now."""
    shown = (node for node in of_cases("vtkMRMLSegmentationNode") if is_shown(node))
    return next((node for node in shown if node.GetAttribute(CASE) == case), None)


def is_background(volume: Any | None) -> bool:
    """Whether all slice views show this volume."""
    views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return volume is not None and all(view.GetBackgroundVolumeID() == volume.GetID() for view in views)


def is_shown(node: Any | None) -> bool:
    """Whether a node is in the scene and visible."""
    display = node.GetDisplayNode() if node is not None and node.GetScene() is not None else None
    return bool(display is not None and display.GetVisibility())


def lay_over(overlay: Any | None) -> None:
    """Lay a map over the volume in the slice views; None takes it away."""
    opacity = OVERLAY_OPACITY if overlay is not None else 0.0
    slicer.util.setSliceViewerLayers(foreground=overlay, foregroundOpacity=opacity)


def bring_into_view(volume: Any) -> None:
    """Turn the slice views into the plane of a volume and let all of it be seen; without a window nothing."""
    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=volume, fit=True, rotateToVolumePlane=True)


def center_3d(node: Any) -> None:
    """Let the 3D views look at the middle of a node from where they look, and see all of it.

    Slicer's own reset looks at everything visible, and the box around the scene is not smaller than it was.
    """
    bounds = np.zeros(6)
    node.GetRASBounds(bounds)
    low, high = bounds[::2], bounds[1::2]
    if (low > high).any():
        return  # an empty segmentation
    center, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    for camera in slicer.util.getNodesByClass("vtkMRMLCameraNode"):
        towards = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
        distance = radius / math.sin(math.radians(camera.GetViewAngle()) / 2)
        place = center + towards / (np.linalg.norm(towards) or 1.0) * (distance or 1.0)
        camera.SetFocalPoint(*map(float, center))
        camera.SetPosition(*map(float, place))
        camera.ResetClippingRange()


def _show_or_hide(node: Any, case: str, wanted: Any | None) -> None:
    display = node.GetDisplayNode()
    if display is None:
        return
    if node.GetAttribute(CASE) != case:
        if display.GetVisibility():
            node.SetAttribute(COMES_BACK, "1")
        display.SetVisibility(False)
        return
    if wanted is not None:
        display.SetVisibility(node is wanted)
    elif node.GetAttribute(COMES_BACK):
        display.SetVisibility(True)
    node.RemoveAttribute(COMES_BACK)


def _take_from_slices(view: Any) -> None:
    """Maps of this module; whoever shows one of this very case lays it over again."""
    foreground = slicer.mrmlScene.GetNodeByID(view.GetForegroundVolumeID() or "")
    if foreground is not None and foreground.GetAttribute(CASE):
        view.SetForegroundVolumeID(None)
        view.SetForegroundOpacity(0.0)


def _is_of_another(node: Any | None, case: str) -> bool:
    return node is not None and (node.GetAttribute(CASE) or case) != case
