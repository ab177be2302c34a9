"""What a volume file says, header and voxels, whatever its compression: the part that the checksum covers."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ContrastiveSegLib.program_identity import PROGRAM

CHUNK = 1 << 20
LONGEST_HEADER = 4 << 20
# The free text of a NIfTI-1 header: 80 bytes called descrip.
DESCRIPTION = slice(148, 228)
NIFTI_HEADER = 348


@dataclass(frozen=True)
class Header:
    """The header of a file whose voxels follow in the same file.

    Args:
        text: The header itself, up to the first voxel.
        covered: What of it a seal covers: not the mark, and nothing that says how the voxels are packed.
        wbits: How the voxels are compressed, for zlib; 0 if they are not.
    """

    text: bytes
    covered: bytes
    wbits: int = 0


def read_header(path: Path) -> Header | None:
    """The header of an .nrrd, .mha, .nii or .nii.gz; None for other files, and for what is none of these.

    Raises:
        OSError, EOFError, zlib.error: The file cannot be read.
    """
    with opened(path) as file:
        return _header(path, file)


def digest_of(path: Path) -> str:
    """A checksum of header and voxels, without the mark; the same after compressing them in another way.

    Raises:
        OSError, EOFError, zlib.error: The file cannot be read to its end.
    """
    with opened(path) as file:
        header = _header(path, file)
        if header is None:
            return ""
        digest = hashlib.sha256(header.covered)
        for chunk in _unpacked(_chunks(file), header.wbits):
            digest.update(chunk)
        return digest.hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file; those of a .gz as they were before."""
    with path.open("rb") as file:
        if path.name.lower().endswith(".gz"):
            with gzip.open(file) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield file


def _header(path: Path, file: IO[bytes]) -> Header | None:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        text = file.read(NIFTI_HEADER)
        covered = text[: DESCRIPTION.start] + text[DESCRIPTION.stop :]
        return Header(text, covered) if text[344:347] in (b"n+1", b"ni1") else None
    if name.endswith(".nrrd"):
        return _nrrd_header(file)
    return _mha_header(file) if name.endswith(".mha") else None


def _nrrd_header(file: IO[bytes]) -> Header | None:
    if file.read(4) != b"NRRD":
        return None
    lines = [b"NRRD" + file.readline(CHUNK)]
    while (line := file.readline(CHUNK)).strip() and sum(map(len, lines)) < LONGEST_HEADER:
        lines.append(line)
    encoding = next((text.split(b":")[1].strip() for text in lines if text.startswith(b"encoding:")), b"")
    return _lines(lines, (b"#", b"encoding:"), wbits=31 if encoding in (b"gzip", b"gz") else 0)


def _mha_header(file: IO[bytes]) -> Header | None:
    lines = [file.readline(CHUNK)]
    if not re.match(rb"\w+\s*=", lines[0]):
        return None
    while not lines[-1].startswith(b"ElementDataFile") and sum(map(len, lines)) < LONGEST_HEADER:
        lines.append(file.readline(CHUNK))
        if not lines[-1]:
            return None
    is_packed = any(re.match(rb"CompressedData\s*=\s*True", text, re.IGNORECASE) for text in lines)
    return _lines(lines, (b"CompressedData",), wbits=15 if is_packed else 0)


def _lines(lines: Sequence[bytes], uncovered: tuple[bytes, ...], *, wbits: int) -> Header:
    kept = [line for line in lines if not line.startswith((*uncovered, PROGRAM.encode()))]
    return Header(b"".join(lines), b"".join(kept), wbits)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _unpacked(chunks: Iterator[bytes], wbits: int) -> Iterator[bytes]:
    if not wbits:
        yield from chunks
        return
    unpacker = zlib.decompressobj(wbits)
    for chunk in chunks:
        while chunk:
            yield unpacker.decompress(chunk, CHUNK)
            chunk = unpacker.unconsumed_tail
    yield unpacker.flush()
