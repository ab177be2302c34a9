"""Reads and writes files for `slicer.util.loadVolume`, `loadSegmentation`, `saveNode` and their sisters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import vtkCommand

_TYPES = (
    ((".seg.nrrd", ".seg.nhdr", ".seg.vtm"), "SegmentationFile"),
    ((".mrml", ".mrb"), "SceneFile"),
    ((".ctbl",), "ColorTableFile"),
    ((".csv", ".tsv"), "TableFile"),
    ((".txt", ".json", ".xml"), "TextFile"),
    ((".vtk", ".vtp", ".stl", ".ply", ".obj"), "ModelFile"),
)
_STORABLE = {
    "TableFile": "vtkMRMLTableNode",
    "TextFile": "vtkMRMLTextNode",
    "ModelFile": "vtkMRMLModelNode",
}


class CoreIOManager:
    """The input and output manager of `slicer.app.coreIOManager()`."""

    def __init__(self, scene: Any, logics: Any) -> None:
        self._scene = scene
        self._logics = logics

    def fileType(self, file_name: str) -> str:
        """The kind of the file, judged by its name; images are volumes."""
        name = str(file_name).lower()
        return next((kind for endings, kind in _TYPES if name.endswith(endings)), "VolumeFile")

    def fileWriterFileType(self, node: Any) -> str:
        """The kind of file this node is written to."""
        return f"{node.GetNodeTagName()}File"

    def loadNodes(self, file_type: str, properties: dict[str, Any], nodes: Any, messages: Any = None) -> bool:
        """Read the file into the scene, add what came to the collection, and say whether it worked."""
        path = Path(str(properties["fileName"]))
        if not path.exists():
            _say(messages, f"File does not exist: {path}")
            return False
        try:
            node = self._reader(file_type)(path, properties)
        except RuntimeError as error:
            _say(messages, str(error))
            return False
        if node is not None and nodes is not None and not isinstance(node, bool):
            nodes.AddItem(node)
        return bool(node)

    def saveNodes(self, _file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        """Write a node, or the scene, to its file."""
        path = Path(str(properties["fileName"]))
        if "nodeID" not in properties:
            return self._save_scene(path)
        node = self._scene.GetNodeByID(properties["nodeID"])
        storage = node.GetStorageNode()
        if storage is None:
            node.AddDefaultStorageNode(str(path))
            storage = node.GetStorageNode()
        storage.SetFileName(str(path))
        written = bool(storage.WriteData(node))
        if not written:
            _say(messages, f"Could not write {path}")
        return written

    def _reader(self, file_type: str) -> Any:
        known = {
            "VolumeFile": self._load_volume,
            "SegmentationFile": self._load_segmentation,
            "ColorTableFile": self._load_colors,
            "SceneFile": self._load_scene,
        }
        if file_type in _STORABLE:
            return lambda path, properties: self._load_storable(_STORABLE[file_type], path, properties)
        if file_type not in known:
            raise NotImplementedError(
                f"The Slicer for tests reads no '{file_type}': add it in file_readers.py."
            )
        return known[file_type]

    def _load_volume(self, path: Path, properties: dict[str, Any]) -> Any:
        options = 1 if properties.get("labelmap") else 0  # vtkSlicerVolumesLogic::LabelMap
        node = self._logics.volumes.AddArchetypeVolume(
            str(path), properties.get("name") or _stem(path), options
        )
        if node is None:
            raise RuntimeError(f"Could not read a volume from {path}")
        if properties.get("show", True):
            self._show_volume(node)
        return node

    def _show_volume(self, node: Any) -> None:
        logic = slicer.app.applicationLogic()
        label = node.IsA("vtkMRMLLabelMapVolumeNode")
        choose = "SetActiveLabelVolumeID" if label else "SetActiveVolumeID"
        getattr(logic.GetSelectionNode(), choose)(node.GetID())
        logic.PropagateVolumeSelection()
        slicer.app.layoutManager().resetSliceViews()

    def _load_segmentation(self, path: Path, properties: dict[str, Any]) -> Any:
        colors = self._scene.GetNodeByID(properties.get("colorNodeID") or "")
        name = properties.get("name") or _stem(path)
        node = self._logics.segmentations.LoadSegmentationFromFile(
            str(path), bool(properties.get("autoOpacities", True)), name, colors
        )
        if node is None:
            raise RuntimeError(f"Could not read a segmentation from {path}")
        return node

    def _load_colors(self, path: Path, _properties: dict[str, Any]) -> Any:
        return self._logics.colors.LoadColorFile(str(path), _stem(path))

    def _load_storable(self, class_name: str, path: Path, properties: dict[str, Any]) -> Any:
        node = self._scene.AddNewNodeByClass(class_name, properties.get("name") or _stem(path))
        node.AddDefaultStorageNode(str(path))
        if not node.GetStorageNode().ReadData(node):
            self._scene.RemoveNode(node)
            raise RuntimeError(f"Could not read {path}")
        return node

    def _load_scene(self, path: Path, properties: dict[str, Any]) -> bool:
        clear = properties.get("clear", False)
        if path.suffix == ".mrb":
            return bool(self._scene.ReadFromMRB(str(path), clear))
        self._scene.SetURL(str(path))
        return bool(self._scene.Connect() if clear else self._scene.Import())

    def _save_scene(self, path: Path) -> bool:
        if path.suffix == ".mrb":
            return bool(self._scene.WriteToMRB(str(path)))
        return bool(self._scene.Commit(str(path)))


def _stem(path: Path) -> str:
    """The name without its endings: case.seg.nrrd and case.nii.gz are both "case"."""
    name = path.name
    for ending in (".seg.nrrd", ".nii.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem


def _say(messages: Any, text: str) -> None:
    if messages is not None:
        messages.AddMessage(vtkCommand.ErrorEvent, text)
