"""Arrays on disk with facts beside them, under names that change whenever their content would."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.disk import replacing
from ContrastiveSegLib.errors import BadFile, CannotWrite
from ContrastiveSegLib.file_io.file_names import is_hidden, split_suffix
from ContrastiveSegLib.file_io.source_files import source_files
from ContrastiveSegLib.preprocessing.stored_array import close_arrays, opened

FORMAT = 3
# Bytes of an array that is checked whole whenever it is read, and of what is looked at of a larger one.
SMALL, SAMPLES, SAMPLE = 1 << 18, 64, 1 << 12


def stem_of(case: Case, sources: Sequence[Path], *recipe: object) -> str:
    """A file name that changes whenever the result would: sources by path, size and time, and the recipe."""
    files = [file for path in sources for file in source_files(path)]
    stats = [(os.path.realpath(file), *_size_and_time(file)) for file in files]
    digest = hashlib.sha256(json.dumps([FORMAT, stats, recipe], sort_keys=True).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', case.name)[:60]}-{digest[:12]}"


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.", "Check that it still exists.") from error
    return stat.st_size, stat.st_mtime_ns


def checksum(paths: Sequence[Path]) -> str:
    """Of what the files hold, and of voxels that lie beside a header."""
    digest = hashlib.sha256()
    for path in paths:
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        inside = sorted(path.rglob("*"))
    else:
        # A slice stands for itself: the files beside it may be of another series.
        inside = [*source_files(path)] if split_suffix(path.name)[1] else [path]
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
    to fit the checksum. Reading gigabytes at every start for that takes minutes, so a large array is taken as
    it is when its file has the size and time with which it was written, and samples of it are the same. What
    changes a few bytes between the samples and sets the time back, as a failing disk might, is not found
    then; a full check would not find what happens after it either.
    """
    facts = _read_facts(stem)
    if facts is None:
        close_arrays()  # Windows replaces no file that is open
    return facts


def _read_facts(stem: Path) -> dict[str, Any] | None:
    path = array_file(stem)
    try:
        facts: dict[str, Any] = json.loads(_facts(stem).read_text(encoding="utf-8"))
        seal, known = facts.pop("seal"), facts.pop("unchanged", None)
        array = opened(path)
        unchanged = _unchanged(path, array, facts)
        if array.nbytes > SMALL and known == unchanged:
            return facts
        if seal != _seal(array, facts):
            return None
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if known != unchanged:  # a run that was copied, or of an earlier version
        with contextlib.suppress(CannotWrite):
            _write_facts(stem, {**facts, "seal": seal, "unchanged": unchanged})
    return facts


def store(stem: Path, array: npt.NDArray[Any], facts: dict[str, Any]) -> None:
    """Keep an array with its facts; the facts come last, so that a half-written array has none.

    Raises:
        CannotWrite: The disk refuses.
    """
    with replacing(array_file(stem), ".npy", lasting=False) as partial:
        np.save(partial, array)
    unchanged = _unchanged(array_file(stem), array, facts)
    _write_facts(stem, {**facts, "seal": _seal(array, facts), "unchanged": unchanged})


def _write_facts(stem: Path, facts: dict[str, Any]) -> None:
    with replacing(_facts(stem), ".json", lasting=False) as partial:
        partial.write_text(json.dumps(facts), encoding="utf-8")


def _unchanged(path: Path, array: npt.NDArray[Any], facts: dict[str, Any]) -> list[int]:
    """Size and time of a file, and a checksum of the facts and of samples: pages that a loss of power emptied
    have the right size and time.
    """
    voxels = _bytes_of(array)
    samples = [voxels[at : at + SAMPLE] for at in range(0, len(voxels), max(len(voxels) // SAMPLES, SAMPLE))]
    content = functools.reduce(lambda before, one: zlib.crc32(one, before), samples, _described(array, facts))
    return [*_size_and_time(path), content]


def _seal(array: npt.NDArray[Any], facts: dict[str, Any]) -> int:
    """A checksum of both; as fast as the disk, so that it costs next to nothing beside preparing."""
    return zlib.crc32(_bytes_of(array), _described(array, facts))


def _described(array: npt.NDArray[Any], facts: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps([facts, array.dtype.str, array.shape], sort_keys=True).encode())


def _bytes_of(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
