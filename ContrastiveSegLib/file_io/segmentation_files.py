"""Slicer's .seg.nrrd: segments with name, color, terminology, and layers that may overlap."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.label_layers import LabelLayers, several_numbers
from ContrastiveSegLib.file_io.opening import header_text
from ContrastiveSegLib.imaging.case_errors import one_line
from ContrastiveSegLib.imaging.colors import Color, colors_for
from ContrastiveSegLib.imaging.label_array import LabelArray, translated, values_in
from ContrastiveSegLib.imaging.labels import (
    LARGEST_VALUE,
    LabelTable,
    Structure,
    free_value,
    same_name,
)

SAVE_AGAIN = "Open the segmentation in Slicer and save it again."
TERMINOLOGY = "TerminologyEntry:"


@dataclass(frozen=True)
class Segment:
    """A segment of a .seg.nrrd file: the voxels of one layer that have one value.

    Args:
        structure: Its value is unique in the file, while label values repeat from layer to layer.
    """

    structure: Structure
    layer: int
    label_value: int


def read_segments(image: sitk.Image, path: Path, layers: int) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    """The segments that the header describes, and notes; none for a plain label map.

    Args:
        image: Or what has read its header.
        layers: How many there are.

    Raises:
        BadFile: A segment is described with numbers that are none, or lies in a layer that is not there.
    """
    segments: list[Segment] = []
    notes: list[str] = []
    for number in _segment_numbers(image):
        try:
            segment = _segment(image, number, layers, [s.structure for s in segments])
        except ValueError as error:
            raise BadFile(
                f"{path} describes segment {number} in a damaged way: {error}.", SAVE_AGAIN
            ) from error
        if not 0 <= segment.layer < layers:
            raise BadFile(
                f"{path} puts the segment '{segment.structure.name}' into layer {segment.layer}, but has "
                f"only {layers} layers.",
                SAVE_AGAIN,
            )
        notes.extend(_notes_on_duplicates(segment, _name(image, number), segments, path))
        segments.append(segment)
    return tuple(segments), tuple(notes)


def refuse_undescribed(header: sitk.ImageFileReader, path: Path) -> None:
    """Refuse several numbers per voxel where nothing says what they are.

    Raises:
        BadFile: How many there are.
    """
    layers = int(header.GetNumberOfComponents())
    if layers > 1 and next(_segment_numbers(cast("sitk.Image", header)), None) is None:
        raise several_numbers(path, layers)


def flatten(
    layers: LabelLayers, segments: tuple[Segment, ...], path: Path
) -> tuple[LabelArray, tuple[str, ...]]:
    """Merge layers into one label map (K, H, W); the later segment wins.

    Returns:
        The label map, and notes on voxels that were rounded, or that several segments or no segment claimed.
    """
    notes: dict[str, None] = {}
    lost, claimed, shared = Counter[tuple[int, int]](), set[int](), 0
    highest = np.zeros(layers.shape, np.int16)
    for place, slab in layers.slabs():
        ranks = []
        for number, (layer, rounded) in enumerate(slab):
            notes |= dict.fromkeys(rounded)
            lost.update(_unclaimed(layer, number, segments))
            ranks.append(_ranks_of(layer, number, segments))
        several = sum((rank > 0).astype(np.int16) for rank in ranks) > 1
        for rank in ranks:
            np.maximum(highest[place], rank, out=highest[place])
            claimed |= set(np.flatnonzero(np.bincount(rank[several])).tolist())
        shared += int(np.count_nonzero(several))
    notes |= dict.fromkeys(_lost_notes(lost, path))
    if shared:
        notes |= {_shared_note(shared, claimed, segments, path): None}
    values = {rank: segment.structure.value for rank, segment in enumerate(segments, start=1)}
    return translated(highest, values), tuple(notes)


def describe_segments(image: sitk.Image, table: LabelTable) -> None:
    """Write the table into the header of a one-layer label map, as Slicer reads it."""
    whole = " ".join(f"0 {n - 1}" for n in image.GetSize())
    image.SetMetaData("Segmentation_MasterRepresentation", "Binary labelmap")
    image.SetMetaData("Segmentation_ContainedRepresentationNames", "Binary labelmap|")
    image.SetMetaData("Segmentation_ReferenceImageExtentOffset", "0 0 0")
    for number, structure in enumerate(table.structures):
        entries = {
            "ID": f"Segment_{structure.value}",
            "Name": structure.name,
            "Color": " ".join(str(part) for part in structure.color),
            "LabelValue": str(structure.value),
            "Layer": "0",
            "Extent": whole,
            "NameAutoGenerated": "0",
            "ColorAutoGenerated": "0",
            "Tags": f"{TERMINOLOGY}{structure.terminology}|" if structure.terminology else "",
        }
        for key, value in entries.items():
            image.SetMetaData(f"Segment{number}_{key}", value)


def _segment_numbers(image: sitk.Image) -> Iterator[int]:
    """Slicer counts segments from 0 until one has neither ID nor name."""
    described = {
        match[1] for key in image.GetMetaDataKeys() if (match := re.match(r"Segment(\d+)_(ID|Name)$", key))
    }
    return itertools.takewhile(lambda number: str(number) in described, itertools.count())


def _segment(image: sitk.Image, number: int, layers: int, before: list[Structure]) -> Segment:
    """Read one segment; missing entries get the meaning that Slicer gives them."""
    label_value = int(header_text(image, f"Segment{number}_LabelValue") or 1)
    layer = int(header_text(image, f"Segment{number}_Layer") or (0 if layers == 1 else number))
    wanted = label_value if 1 <= label_value <= LARGEST_VALUE else 1
    value = free_value(wanted, {structure.value for structure in before})
    name = _name(image, number)
    names = itertools.chain([name], (f"{name} ({n})" for n in itertools.count(2)))
    free_name = next(n for n in names if not any(same_name(n, structure.name) for structure in before))
    tags = header_text(image, f"Segment{number}_Tags").split("|")
    terminology = next((tag.removeprefix(TERMINOLOGY) for tag in tags if tag.startswith(TERMINOLOGY)), "")
    color = _color(image, number) or colors_for([(name, terminology)], [s.color for s in before])[0]
    return Segment(Structure(value, free_name, color, terminology), layer, label_value)


def _name(image: sitk.Image, number: int) -> str:
    names = (one_line(header_text(image, f"Segment{number}_{key}")) for key in ("Name", "ID"))
    return next((name for name in names if name), f"Segment {number}")


def _notes_on_duplicates(segment: Segment, name: str, before: list[Segment], path: Path) -> list[str]:
    """Notes on a segment that has the name or the voxels of an earlier one."""
    notes = []
    if segment.structure.name != name:
        notes.append(f"{path.name}: a second segment '{name}' is called '{segment.structure.name}'.")
    for other in before:
        if (other.layer, other.label_value) == (segment.layer, segment.label_value):
            notes.append(
                f"{path.name}: the segments '{other.structure.name}' and '{segment.structure.name}' are the "
                f"same voxels; they count as '{segment.structure.name}'."
            )
    return notes


def _color(image: sitk.Image, number: int) -> Color | None:
    text = header_text(image, f"Segment{number}_Color") or header_text(image, f"Segment{number}_DefaultColor")
    if not text:
        return None
    red, green, blue = (min(max(float(part), 0.0), 1.0) for part in text.split())
    return (red, green, blue) if math.isfinite(red + green + blue) else None


def _ranks_of(layer: npt.NDArray[Any], number: int, segments: tuple[Segment, ...]) -> LabelArray:
    """For each voxel of a layer the position (from 1) of the segment it belongs to, else 0.

    The later segment has the higher position, so that the maximum over the layers lets it win.
    """
    ranked = enumerate(segments, start=1)
    ranks = {one.label_value: rank for rank, one in ranked if one.layer == number and one.label_value > 0}
    return translated(layer, ranks)


def _shared_note(voxels: int, claimed: set[int], segments: tuple[Segment, ...], path: Path) -> str:
    """Say how many voxels belong to several segments, and to which."""
    names = ", ".join(segments[rank - 1].structure.name for rank in sorted(claimed - {0}))
    return (
        f"{path.name}: {voxels} voxels belong to more than one segment ({names}); each went to the segment "
        "that is later in the list."
    )


def _unclaimed(
    layer: npt.NDArray[Any], number: int, segments: tuple[Segment, ...]
) -> dict[tuple[int, int], int]:
    """The values of a layer that no segment describes, and of how many voxels."""
    described = {segment.label_value for segment in segments if segment.layer == number}
    lost = [value for value in values_in(layer) if value not in described]
    return {(number, value): int(np.count_nonzero(layer == value)) for value in lost}


def _lost_notes(lost: Counter[tuple[int, int]], path: Path) -> list[str]:
    """Say how many voxels of each layer are of no segment; Slicer does not show them either."""
    notes = []
    for number in sorted({number for number, _ in lost}):
        counts = {value: count for (layer, value), count in sorted(lost.items()) if layer == number}
        values = ", ".join(map(str, list(counts)[:10]))
        notes.append(
            f"{path.name}: {sum(counts.values())} voxels (value {values}) are of no segment and become "
            "background."
        )
    return notes
