"""Annotations in the scene: create or find the segmentation of a case, say what it means, save, count."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk

from ContrastiveSegLib.dataset.annotations import IGNORED, AnnotationMask
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.file_io.label_meanings import as_segments
from ContrastiveSegLib.file_io.saving import save_atomically
from ContrastiveSegLib.file_io.segmentation_files import describe_segments
from ContrastiveSegLib.imaging.label_values import BACKGROUND, IGNORE, says_no_structure
from ContrastiveSegLib.imaging.labels import LabelTable, Structure, same_name
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.slicer_bridge.nodes import CASE, geometry_of, put_beside, segment_masks

ANNOTATION = "ContrastiveSeg.Annotation"  # attribute of the segmentation node in which a case is annotated
COMPLETE = "ContrastiveSeg.CompleteSlices"
KIND = "ContrastiveSeg.AnnotationKind"
BACKGROUND_COLOR = (0.5, 0.5, 0.5)

# What unpainted voxels mean, in the words of the jobs: in painted or marked slices they are background; in
# all slices they are; nobody knows.
SLICES, CASES, SCRIBBLES = KINDS = ("slices", "cases", "scribbles")


@dataclass(frozen=True)
class Amount:
    """What is annotated in one case: voxels per segment, and slices with something painted or marked.

    Args:
        known: The slices that the jobs will learn from: which they are depends on the kind.
    """

    voxels: dict[str, int]
    painted: tuple[int, ...]
    complete: tuple[int, ...]
    known: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was painted or marked; marks do not count among scribbles."""
        return not self.painted and not set(self.complete) & set(self.known)


def annotation_of(case: str) -> Any | None:
    """The segmentation node in which a case is being annotated, if it is in the scene."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    mine = (node for node in nodes if node.GetAttribute(ANNOTATION))
    return next((node for node in mine if node.GetAttribute(CASE) == case), None)


def begin_annotation(
    case: str,
    volume: Any,
    structures: LabelTable,
    *,
    source: Path | None = None,
    kind: str = "",
    axis: int = 2,
) -> Any:
    """The segmentation to annotate a case in: the one in the scene, one loaded from a file, or a new one.

    Args:
        structures: The segments it must have, with names, colors and terminology.
        source: Earlier annotation, labels or prediction to start from; the file itself is not touched.
        kind: "slices", "cases" or "scribbles", for an annotation that is new to the scene. "": as the file
            says, else as the jobs would take it; without a file some slices.
        axis: Of the volume along which its slices are counted.
    """
    node: Any = annotation_of(case)
    is_new = node is None
    if is_new:
        node = _new_annotation(case, volume, source)
        kind = kind or (_kind_of_file(node, volume, axis) if source else SLICES)
        if source:
            _without_painted_background(node, volume, axis)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for structure in structures.structures:
        _ensure_segment(node, structure.name, structure.color, structure.terminology)
    if is_new:
        set_kind(node, kind)
    node.GetDisplayNode().SetVisibility(True)
    return node


def kind_of(node: Any) -> str:
    """What unpainted voxels of this annotation mean; some slices until something else was said."""
    return _written_kind(node) or SLICES


def set_kind(node: Any, kind: str) -> None:
    """Say what unpainted voxels mean; scribbles get a segment for painted background."""
    if kind == SCRIBBLES:
        _ensure_segment(node, BACKGROUND, BACKGROUND_COLOR, "")
    _tag_all(node, KIND, kind)


def mark_complete(node: Any, index: int, *, complete: bool = True) -> None:
    """Write down that a slice is annotated in full, also where it is empty; or take that back."""
    marked = set(complete_slices(node)) - {index} | ({index} if complete else set())
    _tag_all(node, COMPLETE, " ".join(map(str, sorted(marked))))


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
    for name, mask in segment_masks(node, volume):
        voxels[name] = int(np.count_nonzero(mask))
        if not same_name(name, IGNORE):
            painted |= set(_touched(np.moveaxis(mask, 2 - axis, 0)))
    marked, kind = complete_slices(node), kind_of(node)
    known = {
        SLICES: painted | set(marked),
        CASES: range(volume.GetImageData().GetDimensions()[axis]),
        SCRIBBLES: painted,
    }[kind]
    return Amount(voxels, tuple(sorted(painted)), marked, tuple(sorted(known)))


def save_annotation(node: Any, volume: Any, path: Path, *, axis: int = 2) -> None:
    """Write the segments on the grid of the volume; where they overlap, the later one wins.

    In slices that are complete, what nobody painted becomes painted background: that is how the jobs learn
    what is known, and that a slice is empty on purpose. Complete are all slices of a whole case, and of some
    slices those that are painted or marked. Kind and marks travel as tags of the segments.

    Args:
        axis: Of the volume (i, j, k as 0, 1, 2) along which its slices are counted.

    Raises:
        BadFile: The volume has no usable grid.
        CannotWrite: The disk refuses.
    """
    geometry, kind, marked = geometry_of(volume), kind_of(node), set(complete_slices(node))
    labels = np.zeros(geometry.shape, np.int16)
    structures = []
    for value, (name, mask) in enumerate(segment_masks(node, volume), start=1):
        labels[mask] = value
        segment = _by_name(node, name)
        structures.append(Structure(value, name, segment.GetColor(), _terminology(segment)))
    if kind != SCRIBBLES:
        background = next((s for s in structures if same_name(s.name, BACKGROUND)), None)
        if background is None:
            background = Structure(len(structures) + 1, BACKGROUND, BACKGROUND_COLOR)
            structures.append(background)
        slices = np.moveaxis(labels, 2 - axis, 0)
        # Where nothing is known, nothing is complete.
        ignored = [s.value for s in structures if same_name(s.name, IGNORE)]
        painted = set(_touched((slices > 0) & ~np.isin(slices, ignored)))
        # Nothing but background is painted there: what comes back from the file is the mark.
        marked |= painted - set(_touched((slices > 0) & ~np.isin(slices, [*ignored, background.value])))
        complete = range(len(slices)) if kind == CASES else marked | painted
        listed = np.isin(np.arange(len(slices)), list(complete))[:, None, None]
        slices[listed & (slices == 0)] = background.value
    image = Volume(labels.astype(np.uint8) if len(structures) < 256 else labels, geometry).to_sitk()
    describe_segments(image, LabelTable(tuple(structures)))
    tags = {KIND: kind, COMPLETE: "" if kind == SCRIBBLES else " ".join(map(str, sorted(marked)))}
    _describe(image, len(structures), {key: text for key, text in tags.items() if text})
    save_atomically(image, path, overwrite=True)


def _describe(image: Any, segments: int, tags: dict[str, str]) -> None:
    """Add kind and marks to the tags of each segment, where Slicer keeps them too."""
    added = "".join(f"{key}:{text}|" for key, text in tags.items())
    for number in range(segments):
        key = f"Segment{number}_Tags"
        text = image.GetMetaData(key) if image.HasMetaDataKey(key) else ""
        image.SetMetaData(key, text + added)


def _kind_of_file(node: Any, volume: Any, axis: int) -> str:
    """What the file of an annotation says of itself, else what the jobs would take it for."""
    written = _written_kind(node)
    if written:
        return written
    geometry = geometry_of(volume)
    marks = np.zeros(geometry.shape, np.int16)
    for name, mask in segment_masks(node, volume):
        marks[mask] = 1 if same_name(name, BACKGROUND) else IGNORED if same_name(name, IGNORE) else 2
    return AnnotationMask(Volume(marks, geometry), 2 - axis, are_scribbles=False, notes=()).kind


def _without_painted_background(node: Any, volume: Any, axis: int) -> None:
    """Take away the background that saving painted into complete slices: kind and marks say the same."""
    identity = node.GetSegmentation().GetSegmentIdBySegmentName(BACKGROUND)
    if not identity:
        return
    mask = np.array(slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume), np.uint8)
    slices = np.moveaxis(mask, 2 - axis, 0)
    written, complete = _written_kind(node), set(complete_slices(node))
    if written == SLICES:
        for name, drawn in segment_masks(node, volume):
            if not says_no_structure(name):
                complete |= set(_touched(np.moveaxis(drawn, 2 - axis, 0)))
    slices[[n for n in range(len(slices)) if n in complete or written == CASES]] = 0
    if mask.any():
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
    read = read_labels(path)  # in a process of its own: what would end Slicer is refused
    name = path.name.split(".")[0]
    if not path.is_dir():
        return slicer.util.loadSegmentation(str(path), {"name": name})
    with tempfile.TemporaryDirectory() as folder:  # of one file per structure
        file = Path(folder) / f"{name}.seg.nrrd"
        write_labels(file, *as_segments(read))
        return slicer.util.loadSegmentation(str(file), {"name": name})


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


def _touched(slices: npt.NDArray[Any]) -> list[int]:
    """The numbers of the slices (N, ...) in which anything is painted."""
    return [int(n) for n in np.flatnonzero(slices.any(axis=(1, 2)))]


def _written_kind(node: Any) -> str:
    """The kind in the tags of the segments, "" where nobody said."""
    tags = {_tag(segment, KIND) for segment in _segments(node)}
    return next((kind for kind in KINDS if kind in tags), "")


def _tag_all(node: Any, key: str, text: str) -> None:
    for segment in _segments(node):
        if text:
            segment.SetTag(key, text)
        else:
            segment.RemoveTag(key)


def _terminology(segment: Any) -> str:
    return _tag(segment, segment.GetTerminologyEntryTagName())


def _tag(segment: Any, key: str) -> str:
    text = vtk.mutable("")
    return str(text) if segment.GetTag(key, text) else ""
