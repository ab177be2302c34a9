"""Prepared cases on disk: made once, several at a time, reused as long as their sources stay the same."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile, CannotWrite
from ContrastiveSegLib.volumes.cases import Case
from ContrastiveSegLib.volumes.files import labels_on_grid, read_image, read_labels
from ContrastiveSegLib.volumes.grid import WorkingGrid
from ContrastiveSegLib.volumes.labels import LabelTable
from ContrastiveSegLib.volumes.preprocessing import Intensities, prepare, prepare_labels
from ContrastiveSegLib.volumes.slices import PreparedCase
from ContrastiveSegLib.volumes.superpixels import (
    COMPACTNESS,
    REGIONS_PER_PATCH,
    regions_of,
    regions_of_slices,
)
from ContrastiveSegLib.volumes.volume import Geometry, Volume

FORMAT = 1


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a prepared array contains, apart from its source.

    Args:
        table: Prepare the labels too, in the order of this table.
        regions: Prepare superpixels too; supervoxels if the patch is a block.
    """

    grid: WorkingGrid
    intensities: Intensities
    table: LabelTable | None = None
    regions: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one case: prepared, or left out with the reason."""

    case: Case
    prepared: PreparedCase | None
    modality: str = ""
    checksum: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""


def prepare_cases(
    cases: Sequence[Case], folder: Path, recipe: Recipe, *, on_case: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Prepare all cases, or find them prepared; one that cannot be used is left out, with the reason.

    Args:
        folder: Where the prepared arrays live; it may be deleted at any time.
        recipe: With a label table, the labels are prepared too and must be there.

    Raises:
        CannotWrite: The folder cannot be written.
    """
    _make(folder)
    with _threads() as pool:
        outcomes = []
        for outcome in pool.map(lambda case: _prepare_or_reason(case, folder, recipe), cases):
            outcomes.append(outcome)
            if on_case:
                on_case(outcome)
    return outcomes


def _threads() -> ThreadPoolExecutor:
    """Threads suffice: SimpleITK and numpy release the interpreter lock for everything that takes time."""
    return ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))


def _prepare_or_reason(case: Case, folder: Path, recipe: Recipe) -> Outcome:
    try:
        return _prepare_one(case, folder, recipe)
    except BadFile as error:
        return Outcome(case, None, reason=str(error))


def _prepare_one(case: Case, folder: Path, recipe: Recipe) -> Outcome:
    if recipe.table and not case.labels:
        raise BadFile(f"The case {case.name} has no labels.", "Add its label file, or leave the case out.")
    image_stem = folder / _stem(case, case.images, asdict(recipe.grid), asdict(recipe.intensities))
    facts = _read_facts(image_stem) or _make_image(case, image_stem, recipe)
    working, original = (Geometry.from_lists(*facts[key]) for key in ("working", "original"))
    labels, label_notes = None, []
    if recipe.table and case.labels:
        sources = (*case.images, case.labels)
        label_stem = folder / _stem(case, sources, asdict(recipe.grid), recipe.table.to_json())
        label_facts = _read_facts(label_stem)
        label_facts = label_facts or _make_labels(case, label_stem, recipe.table, working, original)
        labels, label_notes = np.load(_array(label_stem), mmap_mode="r"), label_facts["notes"]
    images = np.load(_array(image_stem), mmap_mode="r")
    regions = _regions(case, images, working, folder, recipe) if recipe.regions else None
    prepared = PreparedCase(case.name, case.patient, images, labels, working, original, regions)
    return Outcome(case, prepared, facts["modality"], facts["checksum"], (*facts["notes"], *label_notes))


def _make_image(case: Case, stem: Path, recipe: Recipe) -> dict[str, Any]:
    read = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels)
    working, modality = prepare(read.volume, recipe.grid, recipe.intensities)
    facts = {
        "modality": modality,
        "checksum": _checksum(case.images),
        "notes": list(read.notes),
        "working": _plain(working.geometry),
        "original": _plain(read.volume.geometry),
    }
    _store(stem, working.array, facts)
    return facts


def _make_labels(
    case: Case, stem: Path, table: LabelTable, working: Geometry, original: Geometry
) -> dict[str, Any]:
    if case.labels is None:
        raise BadFile(f"The case {case.name} has no labels.", "Add its label file, or leave the case out.")
    read = read_labels(case.labels, table)
    indices = Volume(class_indices(read.volume.array, table), read.volume.geometry)
    on_image = labels_on_grid(indices, original, name=case.name)
    facts = {"notes": list(read.notes)}
    _store(stem, prepare_labels(on_image, working).array, facts)
    return facts


def _regions(
    case: Case, images: npt.NDArray[Any], working: Geometry, folder: Path, recipe: Recipe
) -> npt.NDArray[Any]:
    stem = folder / _stem(
        case, case.images, asdict(recipe.grid), asdict(recipe.intensities), REGIONS_PER_PATCH, COMPACTNESS
    )
    if _read_facts(stem) is None:
        size = images.shape[-len(recipe.grid.patch) :]
        segments = max(2, round(REGIONS_PER_PATCH * np.prod(size) / np.prod(recipe.grid.patch)))
        found = (
            regions_of_slices(images, segments)
            if len(recipe.grid.patch) == 2
            else regions_of(images, segments, spacing=working.spacing_khw)
        )
        _store(stem, found, {})
    regions: npt.NDArray[Any] = np.load(_array(stem), mmap_mode="r")
    return regions


def collect_table(cases: Sequence[Case], known: LabelTable | None = None) -> LabelTable:
    """The one label table of a folder: the one that came with it, or all structures of all its label files.

    A label file that cannot be read adds nothing here; its case is left out, with the reason, when it is
    prepared.
    """
    if known is not None:
        return known
    with _threads() as pool:
        tables = pool.map(_table_of, [case.labels for case in cases if case.labels])
        return LabelTable.merged(*(table for table in tables if table))


def _table_of(path: Path) -> LabelTable | None:
    try:
        return read_labels(path).table
    except BadFile:
        return None


def class_indices(values: npt.NDArray[Any], table: LabelTable) -> npt.NDArray[np.int16]:
    """Label values to class indices: 0 background, then 1, 2, ... in the order of the table."""
    lookup = np.zeros(max(table.values, default=0) + 1, np.int16)
    lookup[list(table.values)] = range(1, len(table.values) + 1)
    indices: npt.NDArray[np.int16] = lookup[values]
    return indices


def _stem(case: Case, sources: Sequence[Path], *recipe: object) -> str:
    """A file name that changes whenever the result would: sources by path, size and time, and the recipe."""
    stats = [(str(p.resolve()), *_size_and_time(p)) for p in sources]
    digest = hashlib.sha256(json.dumps([FORMAT, stats, recipe], sort_keys=True).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', case.name)[:60]}-{digest[:12]}"


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.", "Check that it still exists.") from error
    return stat.st_size, stat.st_mtime_ns


def _checksum(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    for file in sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                yield block


def _plain(geometry: Geometry) -> list[list[float]]:
    return [list(geometry.size), list(geometry.spacing), list(geometry.origin), list(geometry.direction)]


def _array(stem: Path) -> Path:
    return stem.with_name(stem.name + ".npy")


def _facts(stem: Path) -> Path:
    return stem.with_name(stem.name + ".json")


def _read_facts(stem: Path) -> dict[str, Any] | None:
    """The facts written beside a finished array; they come last, so half-written arrays have none.

    What a power failure has cut off is prepared anew, as if it were not there.
    """
    try:
        np.load(_array(stem), mmap_mode="r")
        facts: dict[str, Any] = json.loads(_facts(stem).read_text(encoding="utf-8"))
    except (OSError, ValueError, EOFError):
        return None
    return facts


def _store(stem: Path, array: npt.NDArray[Any], facts: dict[str, Any]) -> None:
    try:
        partial = stem.with_name(stem.name + ".part.npy")
        np.save(partial, array)
        partial.replace(_array(stem))
        text = _facts(stem).with_suffix(".part")
        text.write_text(json.dumps(facts), encoding="utf-8")
        text.replace(_facts(stem))
    except OSError as error:
        raise _cannot_write(stem.parent, error) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> CannotWrite:
    return CannotWrite(
        f"Prepared cases cannot be written to {folder}: {error.strerror}.",
        "Free some space, or choose a run folder on another disk.",
    )
