"""One file per structure in a folder, as TotalSegmentator writes them: brought together in one label map."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.file_names import is_hidden, split_suffix
from ContrastiveSegLib.imaging.colors import colors_for
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume

SHOWN = 3


def label_files(path: Path) -> tuple[Path, ...]:
    """The files that labels are read from: one, or those of the structures in a folder, by name."""
    if not path.is_dir():
        return (path,)
    return tuple(sorted(file for file in path.iterdir() if _is_volume(file)))


def structure_table(paths: Iterable[Path]) -> LabelTable:
    """The structures that the files are called after, with values from 1 on.

    Raises:
        BadFile: Two names differ in capitals alone.
    """
    paths = tuple(paths)
    names = [split_suffix(path.name)[0] for path in paths]
    first: dict[str, Path] = {}
    for path, name in zip(paths, names, strict=True):
        if (other := first.setdefault(name.casefold(), path)) is not path:
            raise BadFile(
                f"{path} and {other.name} beside it differ in capitals alone, so both are one structure.",
                "Rename or remove one of them.",
            )
    colors = colors_for([(name, "") for name in names])
    numbered = enumerate(zip(names, colors, strict=True), start=1)
    return LabelTable(tuple(Structure(value, name, color) for value, (name, color) in numbered))


def merge_structures(source: Path, masks: Iterable[tuple[str, Volume]]) -> tuple[Volume, tuple[str, ...]]:
    """Give the voxels of each mask its position, counted from 1; where two claim a voxel, the later has it.

    Args:
        source: The folder or file that they come from.
        masks: Names and what they hold, (K, H, W) whole numbers; one of them is in memory at a time.

    Raises:
        BadFile: A mask holds more than one structure, or lies on another grid than the first.
    """
    merged: Volume | None = None
    shared, claimants = 0, dict[str, None]()
    before: list[str] = []
    for name, mask in masks:
        inside = _inside(source / name, mask.array)
        if merged is None:
            merged = Volume(np.zeros(mask.array.shape, np.int16), mask.geometry)
        elif not mask.geometry.matches(merged.geometry):
            raise BadFile(
                f"{source / name} lies on another grid than {before[0]} beside it.",
                "Save all structures of a case on the grid of its image.",
            )
        twice = inside & (merged.array > 0)
        if twice.any():
            shared += int(np.count_nonzero(twice))
            others = [before[value - 1] for value in np.unique(merged.array[twice])]
            claimants |= dict.fromkeys([*others, name])
        before.append(name)
        merged.array[inside] = len(before)
    if merged is None:
        raise BadFile(f"{source} holds no structure.", "Check it in the program that wrote it.")
    return merged, _notes(source, shared, list(claimants))


def _is_volume(file: Path) -> bool:
    return bool(split_suffix(file.name)[1]) and not is_hidden(file.name) and file.is_file()


def _inside(path: Path, array: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = array > 0
    values = np.unique(array[inside])
    if len(values) > 1:
        listed = ", ".join(map(str, values[:SHOWN])) + (", ..." if len(values) > SHOWN else "")
        raise BadFile(
            f"{path} lies in a folder with one file per structure, but holds {len(values)} ({listed}).",
            "Save each structure as a file of its own, with 1 inside and 0 outside, or all in one file that "
            "is called like the image.",
        )
    return inside


def _notes(source: Path, shared: int, names: list[str]) -> tuple[str, ...]:
    if not shared:
        return ()
    listed = ", ".join(names[: 2 * SHOWN]) + (", ..." if len(names) > 2 * SHOWN else "")
    return (
        f"{source.name}: {shared} voxels belong to more than one structure ({listed}); each went to the one "
        f"that comes later.",
    )
