"""The grids of images, kept beside the prepared cases, so that a later job need not read their headers."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ContrastiveSegLib.disk import make_folder, replacing
from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.file_io.headers import Image, read_geometries
from ContrastiveSegLib.imaging.volume import Geometry

FILE, FORMAT = "grids.json", 1
Known = dict[str, list[Any]]


def find_geometries(images: Sequence[Image], folder: Path | None = None) -> list[Geometry | None]:
    """The grid of each image, as `read_geometries`; of unchanged files as it was read before.

    Args:
        folder: Where prepared cases live; what is read here is kept there.
    """
    if folder is None:
        return [*read_geometries(images)]
    known = _read(folder)
    states = [_state(paths[0], last) for paths, last in images]
    found: list[Geometry | None] = [_known(known, state) for state in states]
    unknown = [number for number, grid in enumerate(found) if grid is None]
    for number, grid in zip(unknown, read_geometries([images[n] for n in unknown]), strict=True):
        found[number] = grid
        state = states[number]
        if grid is not None and state is not None:
            known[state[0]] = [*state[1:], grid.size, grid.spacing, grid.origin, grid.direction]
    if any(found[number] is not None for number in unknown):
        _keep(folder, known)
    return found


def _state(path: Path, last_axis_is_channels: bool) -> tuple[Any, ...] | None:
    """Where a file lies, its size and time; None for a series, which is many files."""
    if not split_suffix(path.name)[1]:
        return None
    with contextlib.suppress(OSError):
        stat = path.stat()
        return os.path.abspath(path), stat.st_size, stat.st_mtime_ns, last_axis_is_channels  # noqa: PTH100, links stay
    return None


def _known(known: Known, state: tuple[Any, ...] | None) -> Geometry | None:
    entry = known.get(state[0]) if state else None
    if state is None or entry is None or entry[:3] != [*state[1:]]:
        return None
    return Geometry.from_lists(*entry[3:])


def _read(folder: Path) -> Known:
    """What was kept; nothing if it is damaged or of another version."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return dict(content["grids"]) if content["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _keep(folder: Path, known: Known) -> None:
    # Where nothing can be written, preparing says so; here it costs time alone.
    with contextlib.suppress(CannotWrite):
        make_folder(folder)
        with replacing(folder / FILE, ".json", lasting=False) as partial:
            partial.write_text(json.dumps({"format": FORMAT, "grids": known}), encoding="utf-8")
