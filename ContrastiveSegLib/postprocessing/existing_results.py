"""What to do about a result that is there already: it stays, is made again, or belongs to the user."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom import find_series, is_dicom
from ContrastiveSegLib.file_io.provenance import IMAGE_LENGTH, SHORT, Mark, Provenance, provenance_of
from ContrastiveSegLib.file_io.structure_files import label_files
from ContrastiveSegLib.preprocessing.array_store import checksum

# What became of the result of a case.
NEW, AGAIN, STAYED = "made", "made again", "already there"


@dataclass(frozen=True)
class ExistingResult:
    """What a file that is there means for the result that is wanted.

    Args:
        is_written: Whether the result is to be written.
        sentence: What to tell the user; "" if there is no such file.
        is_current: Whether it is the very result that is wanted.
    """

    is_written: bool
    sentence: str = ""
    is_current: bool = False


def judge(target: Path, wanted: Mark, *, overwrite: bool) -> ExistingResult:
    """Compare the file in the place of a result with the result that is wanted."""
    if not target.exists():
        return ExistingResult(is_written=True)
    if overwrite:
        return ExistingResult(is_written=True, sentence=f"{target} is replaced.")
    found = provenance_of(target)
    if found is None or found.mark.kind != wanted.kind:
        return _stays(target, "it was not made here, or by an earlier version that left no mark")
    if not found.is_unchanged:
        return _stays(target, f"somebody changed it after it was {found.mark.describe()}")
    changed = "; ".join(_differences(found, wanted))
    if changed:
        return ExistingResult(is_written=True, sentence=f"{target} is made again: it was {changed}.")
    sentence = f"{target} is already there and stays: {wanted.describe()} from the same image."
    return ExistingResult(is_written=False, sentence=sentence, is_current=True)


def in_words(done: Iterable[str | None]) -> str:
    """Such as "2 made, 1 already there"."""
    counts = Counter(done)
    return ", ".join(f"{counts[how]} {how}" for how in (NEW, AGAIN, STAYED) if counts[how])


def refuse_own_files(target: Path, case: Case) -> None:
    """Never write a result over what it is made from, whatever was asked.

    Raises:
        BadFile: The place of the result is that of the image or of its annotation.
    """
    own = [("its image", path) for path in case.images]
    annotations = [path for path in (case.labels, case.scribbles) if path]
    own += [("its annotation", file) for path in annotations for file in label_files(path)]
    for what, path in own:
        if target.exists() and path.exists() and target.samefile(path):
            raise BadFile(
                f"The result of {case.name} would be written over {what}, {target}.",
                "Choose another --output.",
            )


def image_identity(case: Case) -> str:
    """A checksum of everything an image is read from.

    Raises:
        OSError: A file cannot be read.
    """
    facts = [checksum(tuple(_files_of(case))), case.last_axis_is_channels]
    return short_digest(facts, IMAGE_LENGTH)


def short_digest(facts: object, length: int = SHORT) -> str:
    """A checksum of plain values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:length]


def _files_of(case: Case) -> Iterator[Path]:
    for path in case.images:
        if path.is_dir() or is_dicom(path):
            yield from find_series(path).files
        else:
            yield path


def _stays(target: Path, why: str) -> ExistingResult:
    return ExistingResult(
        is_written=False, sentence=f"{target} is already there and stays: {why}. --overwrite replaces it."
    )


def _differences(found: Provenance, wanted: Mark) -> Iterator[str]:
    mark = found.mark
    if mark.round != wanted.round:
        yield f"{mark.describe()}, and round {wanted.round} is used now"
    elif mark.model != wanted.model:
        yield f"{mark.describe()}, whose weights were others"
    if mark.image != wanted.image:
        yield "made from another image, or from this one before it was changed"
    if mark.settings != wanted.settings:
        yield "made with other settings"
