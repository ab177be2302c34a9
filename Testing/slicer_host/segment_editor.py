"""The Segment Editor without brushes: what was chosen is kept in its real node."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Signal
from vtkmodules.vtkCommonCore import vtkCommand

from .declared import declared, setter
from .mrml_widgets import qMRMLWidget
from .pythonqt import stand_in
from .scene_observer import SceneObserver

EFFECTS = (
    "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices", "Threshold",
    "Margin", "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume",
)  # fmt: skip


@stand_in
class qSlicerSegmentEditorAbstractEffect(QObject):
    """An effect: a name and parameters."""

    def __init__(self, name: str, editor: Any) -> None:
        super().__init__()
        self._effect_name, self._editor = name, editor

    name = Property(str, lambda self: self._effect_name)

    def setParameter(self, name: str, value: Any) -> None:
        """Remember a setting of the effect, in the node as Slicer does."""
        self._editor.mrmlSegmentEditorNode().SetAttribute(f"{self._effect_name}.{name}", str(value))

    def parameter(self, name: str) -> str:
        """A setting of the effect."""
        return self._editor.mrmlSegmentEditorNode().GetAttribute(f"{self._effect_name}.{name}") or ""

    def integerParameter(self, name: str) -> int:
        """A setting that is a whole number."""
        return int(self.parameter(name) or 0)


@stand_in
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The editor of segments."""

    currentSegmentIDChanged = Signal(str)
    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observer = SceneObserver(self)
        self._effect: Any = None
        self._order: list[str] = list(EFFECTS)
        self._shortcuts = 0
        self._observed = False

    readOnly = declared(bool, "readOnly", False)
    unorderedEffectsVisible = declared(bool, "unorderedEffectsVisible", True)
    maximumNumberOfUndoStates = declared(int, "maximumNumberOfUndoStates", 0)
    maskingSectionVisible = declared(bool, "maskingSectionVisible", True)
    segmentationNodeSelectorVisible = declared(bool, "segmentationNodeSelectorVisible", True)
    sourceVolumeNodeSelectorVisible = declared(bool, "sourceVolumeNodeSelectorVisible", True)
    switchToSegmentationsButtonVisible = declared(bool, "switchToSegmentationsButtonVisible", True)
    addRemoveSegmentButtonsVisible = declared(bool, "addRemoveSegmentButtonsVisible", True)
    setReadOnly = setter("readOnly")
    setMaximumNumberOfUndoStates = setter("maximumNumberOfUndoStates")
    setMaskingSectionVisible = setter("maskingSectionVisible")
    setSegmentationNodeSelectorVisible = setter("segmentationNodeSelectorVisible")
    setSourceVolumeNodeSelectorVisible = setter("sourceVolumeNodeSelectorVisible")
    setSwitchToSegmentationsButtonVisible = setter("switchToSegmentationsButtonVisible")
    setAddRemoveSegmentButtonsVisible = setter("addRemoveSegmentButtonsVisible")

    def _refresh(self, _name: str) -> None:
        """Nothing shows it."""

    def mrmlSegmentEditorNode(self) -> Any:
        """The node that keeps the choices."""
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        """Keep the choices in this node."""
        self._observer.clear()
        self._node = node
        if node is not None:
            self._observer.observe(node, vtkCommand.ModifiedEvent, self._correct_mask)

    def _correct_mask(self) -> None:
        """A mask inside one segment needs that segment first; without it, everywhere may be edited again."""
        inside = slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment
        if self._node.GetMaskMode() == inside and not self._node.GetMaskSegmentID():
            self._node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)

    def segmentationNode(self) -> Any:
        """The segmentation that is edited."""
        return self._node.GetSegmentationNode() if self._node else None

    def setSegmentationNode(self, node: Any) -> None:
        """Edit this segmentation; its first segment is chosen, its reference volume shown."""
        self._node.SetAndObserveSegmentationNode(node)
        ids = node.GetSegmentation().GetSegmentIDs() if node else ()
        if self.currentSegmentID() not in ids:
            self.setCurrentSegmentID(ids[0] if ids else "")
        reference = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) if node else None
        if reference is not None:
            self.setSourceVolumeNode(reference)
        self.segmentationNodeChanged.emit(node)

    def setSegmentationNodeID(self, identifier: str) -> None:
        """Edit the segmentation with this identifier."""
        self.setSegmentationNode(slicer.mrmlScene.GetNodeByID(identifier))

    def sourceVolumeNode(self) -> Any:
        """The volume under the segments."""
        return self._node.GetSourceVolumeNode() if self._node else None

    def setSourceVolumeNode(self, node: Any) -> None:
        """Show this volume under the segments."""
        self._node.SetAndObserveSourceVolumeNode(node)
        if node is not None:
            slicer.util.setSliceViewerLayers(background=node)
        self.sourceVolumeNodeChanged.emit(node)

    def setSourceVolumeNodeID(self, identifier: str) -> None:
        """Show the volume with this identifier."""
        self.setSourceVolumeNode(slicer.mrmlScene.GetNodeByID(identifier))

    def currentSegmentID(self) -> str:
        """The chosen segment."""
        return (self._node.GetSelectedSegmentID() or "") if self._node else ""

    def setCurrentSegmentID(self, identifier: str) -> None:
        """Choose a segment."""
        self._node.SetSelectedSegmentID(identifier)
        self.currentSegmentIDChanged.emit(identifier)

    def availableEffectNames(self) -> tuple[str, ...]:
        """All effects."""
        return EFFECTS

    def effectNameOrder(self) -> list[str]:
        """The effects in the order in which they are shown."""
        return self._order

    def setEffectNameOrder(self, names: list[str]) -> None:
        """Show the effects in this order."""
        self._order = list(names)

    def effectByName(self, name: str) -> Any:
        """The effect, or None."""
        return qSlicerSegmentEditorAbstractEffect(name, self) if name in EFFECTS else None

    def activeEffect(self) -> Any:
        """The effect that is in use, or None."""
        return self._effect

    def setActiveEffect(self, effect: Any) -> None:
        """Use this effect."""
        self._effect = effect
        self._node.SetActiveEffectName(effect.name if effect else "")

    def setActiveEffectByName(self, name: str) -> None:
        """Use the effect of this name; an unknown name means none."""
        self.setActiveEffect(self.effectByName(name))

    def setupViewObservations(self) -> None:
        """Listen to the mouse."""
        self._observed = True

    def removeViewObservations(self) -> None:
        """Stop listening to the mouse."""
        self._observed = False

    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        """Listen to keys."""
        del parent
        self._shortcuts += 1

    def uninstallKeyboardShortcuts(self) -> None:
        """Stop listening to keys."""
        self._shortcuts = max(0, self._shortcuts - 1)

    def updateWidgetFromMRML(self) -> None:
        """The choices are read from the node whenever they are asked for."""


class SegmentEditorWidget:
    """What `slicer.util.getModuleWidget('SegmentEditor')` gives: an editor tied to its own node."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.editor = qMRMLSegmentEditorWidget(parent)
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.parameterSetNode: Any = None
        self.ui = SimpleNamespace(editor=self.editor)

    def setup(self) -> None:
        """Find or make the node of the editor."""
        node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag("SegmentEditor")
            node = slicer.mrmlScene.AddNode(node)
        self.parameterSetNode = node
        self.editor.setMRMLSegmentEditorNode(node)

    def enter(self) -> None:
        """Listen to mouse and keys."""
        self.editor.setupViewObservations()
        self.editor.installKeyboardShortcuts()

    def exit(self) -> None:
        """Put the effect away."""
        self.editor.setActiveEffect(None)
        self.editor.uninstallKeyboardShortcuts()
        self.editor.removeViewObservations()

    def cleanup(self) -> None:
        """Nothing stays."""
