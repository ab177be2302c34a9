"""How much memory and time reading a file may take, by the size that its header declares."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import looks_like_dicom
from ContrastiveSegLib.file_io.screening import screen
from ContrastiveSegLib.file_io.source_files import source_files

# Any file, even an empty one, and what its reader loads on the way.
LEAST_BYTES = 400 << 20
# ITK's copy, ours as float32, and what it takes to look for numbers that are not finite; labels take less.
BYTES_PER_VOXEL, COPIES = 16, 3
# Slices of a folder; compressed ones hold a tenth of what they unfold to.
UNFOLDING = 30

LEAST_SECONDS = 10.0
SLOWEST_BYTES_PER_S = 5 << 20


@dataclass(frozen=True)
class Allowance:
    """What reading may take: memory beyond what the process had before, and processor time."""

    memory: int
    seconds: float


def allowance_for(values: Any) -> Allowance:
    """What may be taken to read all files and folders that are named among some values."""
    voxels, stored = 0, 0
    for path in paths_in(values):
        with contextlib.suppress(BadFile, OSError):
            if path.is_dir() or looks_like_dicom(path):
                stored += UNFOLDING * sum(file.stat().st_size for file in source_files(path))
            else:
                promised = screen(path).declared
                voxels, stored = voxels + promised.voxels, stored + promised.bytes
    return Allowance(
        LEAST_BYTES + BYTES_PER_VOXEL * voxels + COPIES * stored, LEAST_SECONDS + stored / SLOWEST_BYTES_PER_S
    )


def paths_in(values: Any) -> Iterator[Path]:
    """The paths among arguments, and within their lists."""
    if isinstance(values, Path):
        yield values
    elif isinstance(values, dict):
        yield from paths_in(list(values.values()))
    elif isinstance(values, Iterable) and not isinstance(values, (str, bytes)):
        for value in values:
            yield from paths_in(value)
