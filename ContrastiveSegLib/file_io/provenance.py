"""The mark of this program in the header of a file it made: made from what, and whether it was changed since.

The mark ends with a checksum of header and voxels. A program that keeps entries it does not know, as Slicer
may, would keep the mark too; but whoever corrects the file or saves it again breaks the checksum, and from
then on it is that person's work.
"""

from __future__ import annotations

import gzip
import re
import shutil
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ContrastiveSegLib.file_io.file_content import (
    CHUNK,
    DESCRIPTION,
    LONGEST_HEADER,
    NIFTI_HEADER,
    digest_of,
    opened,
    read_header,
)
from ContrastiveSegLib.program_identity import PROGRAM

Kind = Literal["predict", "refine", "propagate", "uncertainty"]

NOTHING = "-"
SHORT, IMAGE_LENGTH = 8, 10
UNSEALED = "0" * 16
DESCRIPTION_LENGTH = DESCRIPTION.stop - DESCRIPTION.start
WORDS = {
    "predict": "predicted",
    "refine": "refined",
    "propagate": "propagated",
    "uncertainty": "an uncertainty map",
}
# In the header of an .nrrd or .mha it is an entry of its own, in a NIfTI file the description (80 bytes).
_MARK = re.compile(
    rf"{PROGRAM} (?P<kind>{'|'.join(WORDS)}) (?P<round>\d{{1,4}}) (?P<model>[0-9a-f]{{{SHORT}}}|-) "
    rf"(?P<image>[0-9a-f]{{{IMAGE_LENGTH}}}|-) (?P<settings>[0-9a-f]{{{SHORT}}}|-) "
    r"(?P<seal>[0-9a-f]{16})".encode()
)


@dataclass(frozen=True)
class Mark:
    """What a file was made from; checksums, cut short, because a NIfTI header has room for 80 letters.

    Args:
        kind: The job that made it, or "uncertainty".
        round: Of fine-tuning; 0 if none took part.
        model: SHORT letters, or NOTHING.
        image: IMAGE_LENGTH letters, or NOTHING.
        settings: SHORT letters, or NOTHING.
    """

    kind: Kind
    round: int = 0
    model: str = NOTHING
    image: str = NOTHING
    settings: str = NOTHING

    @property
    def text(self) -> str:
        """The mark as it is written, still without its checksum."""
        words = (PROGRAM, self.kind, str(self.round), self.model, self.image, self.settings, UNSEALED)
        return " ".join(words)

    def describe(self) -> str:
        """Such as "predicted by round 2"."""
        return WORDS[self.kind] + (f" by round {self.round}" if self.round else "")


@dataclass(frozen=True)
class Provenance:
    """What the header of a file says about who made it.

    Args:
        is_unchanged: Whether it is as the program wrote it: nobody corrected it or saved it again.
    """

    mark: Mark
    is_unchanged: bool


def provenance_of(path: Path) -> Provenance | None:
    """Whether this program made a file; None if not, or if that cannot be read."""
    try:
        header = read_header(path)
        found = _MARK.search(header.text) if header else None
        if found is None:
            return None
        words = {name: value.decode() for name, value in found.groupdict().items()}
        seal = words.pop("seal")
        mark = Mark(**{**words, "round": int(words["round"])})  # type: ignore[arg-type]
        return Provenance(mark, is_unchanged=digest_of(path).startswith(seal))
    except (OSError, EOFError, zlib.error):
        return None  # whoever reads the voxels says why


def seal(path: Path, mark: Mark) -> None:
    """Put the mark, or complete it, in the header of a file that was just written.

    Raises:
        OSError: The disk refuses.
        ValueError: The file has no place for the mark.
    """
    sealed = mark.text.removesuffix(UNSEALED) + digest_of(path)[: len(UNSEALED)]
    name = path.name.lower()
    if name.endswith(".nii.gz"):
        _write_anew(path, sealed.encode())
    elif name.endswith(".nii"):
        _write_at(path, DESCRIPTION.start, sealed.encode().ljust(DESCRIPTION_LENGTH, b"\0"))
    else:
        _write_at(path, _place_of(path, mark.text.encode()), sealed.encode())


def _place_of(path: Path, text: bytes) -> int:
    with path.open("rb") as file:
        return file.read(LONGEST_HEADER).index(text)


def _write_at(path: Path, place: int, text: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(place)
        file.write(text)


def _write_anew(path: Path, text: bytes) -> None:
    """A header that is compressed with the voxels cannot be written over."""
    anew = path.with_name(f".partial-{uuid.uuid4().hex[:12]}.nii.gz")
    try:
        with opened(path) as source, gzip.GzipFile(anew, "wb", compresslevel=6, mtime=0) as target:
            header = bytearray(source.read(NIFTI_HEADER))
            header[DESCRIPTION] = text.ljust(DESCRIPTION_LENGTH, b"\0")
            target.write(header)
            shutil.copyfileobj(source, target, CHUNK)
        anew.replace(path)
    finally:
        anew.unlink(missing_ok=True)
