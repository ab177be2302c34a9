"""Items of the subject hierarchy for new nodes: in Slicer a Qt plugin, missing here, makes them."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

_SHOWN = (
    "vtkMRMLDisplayableNode",
    "vtkMRMLTableNode",
    "vtkMRMLPlotChartNode",
    "vtkMRMLPlotSeriesNode",
    "vtkMRMLTextNode",
)


def follow_scene(scene: Any) -> None:
    """Give each node that the data tree of Slicer shows an item under the scene."""

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_scene: Any, _event: str, node: Any) -> None:
        if node is None or node.GetHideFromEditors() or not any(node.IsA(kind) for kind in _SHOWN):
            return
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        if not tree.GetItemByDataNode(node):
            tree.CreateItem(tree.GetSceneItemID(), node)

    scene.AddObserver(scene.NodeAddedEvent, added)
