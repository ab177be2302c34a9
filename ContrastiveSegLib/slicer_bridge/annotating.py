"""Annotations in the scene: create or find the segmentation of a case, mark complete slices, save, count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk

from ContrastiveSegLib.slicer_bridge.nodes import geometry_of, put_beside
from ContrastiveSegLib.volumes.label_values import BACKGROUND
from ContrastiveSegLib.volumes.labels import LabelTable, Structure, same_name
from ContrastiveSegLib.volumes.saving import save_atomically
from ContrastiveSegLib.volumes.segmentation_files import describe_segments
from ContrastiveSegLib.volumes.volume import Volume

ANNOTATION = "ContrastiveSeg.Annotation"  # attribute of a segmentation node: the case it annotates
COMPLETE = "ContrastiveSeg.CompleteSlices"
BACKGROUND_COLOR = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Amount:
    """What is annotated in one case: voxels per segment, and slices with something painted or marked."""

    voxels: dict[str, int]
    painted: tuple[int, ...]
    complete: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was painted or marked."""
        return not self.complete and not any(self.voxels.values())


def annotation_of(case: str) -> Any | None:
    """The segmentation node in which a case is being annotated, if it is in the scene."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return next((node for node in nodes if node.GetAttribute(ANNOTATION) == case), None)


def begin_annotation(
    case: str,
    volume: Any,
    structures: LabelTable,
    *,
    source: Path | None = None,
    scribbles: bool = False,
    axis: int = 2,
) -> Any:
    """The segmentation to annotate a case in: the one in the scene, one loaded from a file, or a new one.

    Args:
        structures: The segments it must have, with names, colors and terminology.
        source: Earlier annotation, labels or prediction to start from; the file itself is not touched.
        scribbles: Whether a segment for painted background is wanted.
        axis: Of the volume along which its slices are counted.
    """
    node: Any = annotation_of(case)
    if node is None:
        node = _new_annotation(case, volume, source)
        if source:
            _without_painted_background(node, volume, axis, keep=scribbles)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for structure in structures.structures:
        _ensure_segment(node, structure.name, structure.color, structure.terminology)
    if scribbles:
        _ensure_segment(node, BACKGROUND, BACKGROUND_COLOR, "")
    node.GetDisplayNode().SetVisibility(True)
    return node


def mark_complete(node: Any, index: int, *, complete: bool = True) -> None:
    """Write down that a slice is annotated in full, also where it is empty; or take that back."""
    marked = set(complete_slices(node)) - {index} | ({index} if complete else set())
    text = " ".join(map(str, sorted(marked)))
    for segment in _segments(node):
        if text:
            segment.SetTag(COMPLETE, text)
        else:
            segment.RemoveTag(COMPLETE)


def complete_slices(node: Any) -> tuple[int, ...]:
    """The slices that were marked as complete."""
    words = {word for segment in _segments(node) for word in _tag(segment, COMPLETE).split()}
    return tuple(sorted(int(word) for word in words if word.lstrip("-").isdigit()))


def amount(node: Any, volume: Any, *, axis: int = 2) -> Amount:
    """Count what is annotated.

    Args:
        axis: Of the volume (i, j, k as 0, 1, 2) along which its slices are counted.
    """
    voxels, painted = {}, set()
    other_axes = tuple(n for n in range(3) if n != 2 - axis)
    for name, mask in _masks(node, volume):
        voxels[name] = int(np.count_nonzero(mask))
        painted |= set(np.flatnonzero(mask.any(axis=other_axes)).tolist())
    return Amount(voxels, tuple(sorted(painted)), complete_slices(node))


def save_annotation(node: Any, volume: Any, path: Path, *, axis: int = 2) -> None:
    """Write the segments on the grid of the volume; where they overlap, the later one wins.

    In slices marked as complete, what nobody painted becomes painted background: that is how the jobs learn
    that a slice is empty on purpose. The marks themselves travel as a tag of the segments.

    Args:
        axis: Of the volume (i, j, k as 0, 1, 2) along which its slices are counted.

    Raises:
        BadFile: The volume has no usable grid.
        CannotWrite: The disk refuses.
    """
    geometry, marked = geometry_of(volume), complete_slices(node)
    labels = np.zeros(geometry.shape, np.int16)
    structures = []
    for value, (name, mask) in enumerate(_masks(node, volume), start=1):
        labels[mask] = value
        segment = _by_name(node, name)
        structures.append(Structure(value, name, segment.GetColor(), _terminology(segment)))
    if marked:
        background = next((s for s in structures if same_name(s.name, BACKGROUND)), None)
        if background is None:
            background = Structure(len(structures) + 1, BACKGROUND, BACKGROUND_COLOR)
            structures.append(background)
        slices = np.moveaxis(labels, 2 - axis, 0)
        listed = np.isin(np.arange(len(slices)), marked)[:, None, None]
        slices[listed & (slices == 0)] = background.value
    image = Volume(labels.astype(np.uint8) if len(structures) < 256 else labels, geometry).to_sitk()
    describe_segments(image, LabelTable(tuple(structures)))
    _describe_complete(image, len(structures), marked)
    save_atomically(image, path, overwrite=True)


def _describe_complete(image: Any, segments: int, complete: tuple[int, ...]) -> None:
    """Add the marked slices to the tags of each segment, where Slicer keeps them too."""
    for number in range(segments if complete else 0):
        key = f"Segment{number}_Tags"
        text = image.GetMetaData(key) if image.HasMetaDataKey(key) else ""
        image.SetMetaData(key, f"{text}{COMPLETE}:{' '.join(map(str, complete))}|")


def _without_painted_background(node: Any, volume: Any, axis: int, *, keep: bool) -> None:
    """Take away the background that saving painted into complete slices: the marks say the same."""
    identity = node.GetSegmentation().GetSegmentIdBySegmentName(BACKGROUND)
    if not identity:
        return
    mask = np.array(slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume), np.uint8)
    slices = np.moveaxis(mask, 2 - axis, 0)
    slices[[n for n in complete_slices(node) if 0 <= n < len(slices)]] = 0
    if keep or mask.any():
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)
    else:
        node.GetSegmentation().RemoveSegment(identity)


def _new_annotation(case: str, volume: Any, source: Path | None) -> Any:
    node = _from_file(source) if source else slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetName(f"{case} annotation")
    node.SetAttribute(ANNOTATION, case)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    put_beside(node, volume)
    return node


def _from_file(path: Path) -> Any:
    return slicer.util.loadSegmentation(str(path), {"name": path.name.split(".")[0]})


def _ensure_segment(node: Any, name: str, color: tuple[float, float, float], terminology: str) -> None:
    if any(same_name(segment.GetName(), name) for segment in _segments(node)):
        return
    identity = node.GetSegmentation().AddEmptySegment("", name, color)
    if terminology:
        segment = node.GetSegmentation().GetSegment(identity)
        segment.SetTag(segment.GetTerminologyEntryTagName(), terminology)


def _segments(node: Any) -> Iterable[Any]:
    segments = node.GetSegmentation()
    return [segments.GetSegment(identity) for identity in segments.GetSegmentIDs()]


def _by_name(node: Any, name: str) -> Any:
    return next(segment for segment in _segments(node) if segment.GetName() == name)


def _masks(node: Any, volume: Any) -> Iterable[tuple[str, npt.NDArray[np.bool_]]]:
    """Name and mask (K, H, W) of each segment."""
    segments = node.GetSegmentation()
    for identity in segments.GetSegmentIDs():
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume)
        yield segments.GetSegment(identity).GetName(), np.asarray(array) > 0


def _terminology(segment: Any) -> str:
    return _tag(segment, segment.GetTerminologyEntryTagName())


def _tag(segment: Any, key: str) -> str:
    text = vtk.mutable("")
    return str(text) if segment.GetTag(key, text) else ""
