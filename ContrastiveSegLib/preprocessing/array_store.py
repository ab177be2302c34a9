"""Arrays on disk with facts beside them, under names that change whenever their content would."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFile, CannotWrite
from ContrastiveSegLib.file_io.file_names import is_hidden

FORMAT = 3


def stem_of(case: Case, sources: Sequence[Path], *recipe: object) -> str:
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


def checksum(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in (f for f in inside if f.is_file() and not is_hidden(f.name)):
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                yield block


def array_file(stem: Path) -> Path:
    return stem.with_name(stem.name + ".npy")


def _facts(stem: Path) -> Path:
    return stem.with_name(stem.name + ".json")


def read_facts(stem: Path) -> dict[str, Any] | None:
    """The facts written beside a finished array; they come last, so half-written arrays have none.

    What is cut off, damaged or exchanged is prepared anew, as if it were not there: array and facts both have
    to fit the checksum.
    """
    try:
        facts: dict[str, Any] = json.loads(_facts(stem).read_text(encoding="utf-8"))
        seal = facts.pop("seal")
        array = np.load(array_file(stem), mmap_mode="r")
        return facts if seal == _seal(array, facts) else None
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def store(stem: Path, array: npt.NDArray[Any], facts: dict[str, Any]) -> None:
    partial, text = stem.with_name(stem.name + ".part.npy"), _facts(stem).with_suffix(".part")
    try:
        np.save(partial, array)
        partial.replace(array_file(stem))
        text.write_text(json.dumps({**facts, "seal": _seal(array, facts)}), encoding="utf-8")
        text.replace(_facts(stem))
    except OSError as error:
        for path in (partial, text):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise _cannot_write(stem.parent, error) from error


def _seal(array: npt.NDArray[Any], facts: dict[str, Any]) -> int:
    """A checksum of both; as fast as the disk, so that it costs next to nothing beside preparing."""
    described = json.dumps([facts, array.dtype.str, array.shape], sort_keys=True)
    return zlib.crc32(
        np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, zlib.crc32(described.encode())
    )


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> CannotWrite:
    what = f"Prepared cases cannot be written to {folder}: {error.strerror}."
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return CannotWrite(what, "Choose a run folder in which you may write.")
    with contextlib.suppress(OSError):
        what = f"{what} The disk has {shutil.disk_usage(folder).free >> 20} MB free."
    remedy = "Free some space (prepared arrays of finished runs may be deleted), or choose another disk."
    return CannotWrite(what, remedy)
