"""NIfTI-2 has wider fields than NIfTI-1, and ITK does not read it: the same file with the header of NIfTI-1.

Source: nifti2.h, https://nifti.nimh.nih.gov/nifti-2, and nifti1.h.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.nifti_header import (
    HEADER_BYTES,
    HEADER_BYTES_2,
    byte_order_of,
    is_nifti,
    open_uncompressed,
)

LARGEST_SIDE = 32767  # of NIfTI-1
START, START_2 = 352, 544  # where voxels begin at the earliest: four bytes say whether there are extensions


@contextmanager
def readable_by_itk(path: Path, *, header_only: bool = False) -> Iterator[Path]:
    """The file itself, or for NIfTI-2 a copy that ITK reads, for as long as it is read.

    Raises:
        BadFile: A side is too long for NIfTI-1.
        CannotWrite: There is no room for the copy.
    """
    if not is_nifti(path):
        yield path
        return
    with open_uncompressed(path) as file:
        raw = file.read(HEADER_BYTES_2)
        order = byte_order_of(raw, HEADER_BYTES_2, b"n+2")
        if not order:
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy.nii"
            try:
                _write(copy, path, raw, order, None if header_only else cast("BinaryIO", file))
            except OSError as error:
                raise cannot_write(copy, error) from error
            yield copy


def _write(copy: Path, path: Path, raw: bytes, order: str, voxels: BinaryIO | None) -> None:
    (start,) = struct.unpack_from(f"{order}q", raw, 168)
    with copy.open("wb") as written:
        written.write(_header_1(path, raw, order))
        if voxels is not None:
            voxels.seek(max(start, START_2))
            shutil.copyfileobj(voxels, written, 1 << 20)


def _header_1(path: Path, raw: bytes, order: str) -> bytes:
    """The fields that say what the voxels are and where they lie; the others are descriptions."""
    datatype, bits = struct.unpack_from(f"{order}2h", raw, 12)
    dim = struct.unpack_from(f"{order}8q", raw, 16)
    if max(dim) > LARGEST_SIDE:
        raise BadFile(f"{path} has a side of {max(dim)} voxels; up to {LARGEST_SIDE} are read.", "Cut it.")
    header = bytearray(START)
    struct.pack_into(f"{order}i", header, 0, HEADER_BYTES)
    struct.pack_into(f"{order}8h", header, 40, *dim)
    struct.pack_into(f"{order}2h", header, 70, datatype, bits)
    struct.pack_into(f"{order}8f", header, 76, *struct.unpack_from(f"{order}8d", raw, 104))
    struct.pack_into(f"{order}f", header, 108, START)
    struct.pack_into(f"{order}2f", header, 112, *struct.unpack_from(f"{order}2d", raw, 176))
    (units,) = struct.unpack_from(f"{order}i", raw, 500)
    header[123] = units & 0xFF
    struct.pack_into(f"{order}2h", header, 252, *struct.unpack_from(f"{order}2i", raw, 344))
    struct.pack_into(f"{order}6f", header, 256, *struct.unpack_from(f"{order}6d", raw, 352))
    struct.pack_into(f"{order}12f", header, 280, *struct.unpack_from(f"{order}12d", raw, 400))
    header[344:348] = b"n+1\0"
    return bytes(header)
