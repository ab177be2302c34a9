"""Read the layers of a segmentation slab by slab from an NRRD file: ITK would hold all of them at once."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.header_limits import EXPORT_AGAIN
from ContrastiveSegLib.file_io.nrrd_header import DATA, SPACE_AXES, is_nrrd, read_nrrd_header

# What Slicer writes, and what programs write that are built on ITK; everything else is left to ITK.
LAYERS = ("list", "vector")
AXES = ["domain", "space"]
TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int"), "u8"),
    **dict.fromkeys(("uint64", "uint64_t"), "u8"),
}
ENDINGS = {"little": "<", "big": ">", "": "<"}
SLAB_BYTES = 1 << 25


@dataclass(frozen=True)
class StoredLayers:
    """Where the voxels of a layered file are.

    Args:
        shape: (K, H, W, L) of the file: all layers of a voxel lie together.
        start: The byte at which they begin.
    """

    path: Path
    shape: tuple[int, int, int, int]
    type: np.dtype[Any]
    start: int
    is_compressed: bool

    def slabs(self) -> Iterator[npt.NDArray[Any]]:
        """The voxels (k, H, W, L), some slices at a time.

        Raises:
            BadFile: The file is cut off or damaged.
        """
        slices, *slice_shape = self.shape
        slice_bytes = int(np.prod(slice_shape)) * self.type.itemsize
        thick = thickness(slice_bytes)
        with self.path.open("rb") as file:
            file.seek(self.start)
            stream = gzip.GzipFile(fileobj=file) if self.is_compressed else file
            for first in range(0, slices, thick):
                count = min(thick, slices - first)
                stored = self._read(stream, count * slice_bytes)
                yield np.frombuffer(stored, self.type).reshape(count, *slice_shape)
            self._read(stream, 0)  # the end of a compressed file holds its checksum

    def _read(self, stream: gzip.GzipFile | BufferedReader, size: int) -> bytes:
        try:
            stored = stream.read(size or 1)
        except (EOFError, OSError, zlib.error) as error:
            raise BadFile(f"{self.path} is cut off or damaged: {error}.", EXPORT_AGAIN) from error
        if len(stored) < size:
            raise BadFile(f"{self.path} is cut off: layers of some slices are not there.", EXPORT_AGAIN)
        return stored


def thickness(slice_bytes: int) -> int:
    """How many slices of all layers are held at once."""
    return max(1, SLAB_BYTES // max(slice_bytes, 1))


def stored_layers(path: Path) -> StoredLayers | None:
    """The layers of a file with several, where they are whole numbers; None for any other or damaged file."""
    header = None
    with contextlib.suppress(BadFile, OSError):  # whoever opens it says why
        header = read_nrrd_header(path) if is_nrrd(path) else None
    if header is None or not _has_layers_first(header.fields.get("kinds", "").lower().split()):
        return None
    fields = {name: " ".join(value.lower().split()) for name, value in header.fields.items()}
    kind, encoding = fields.get("type", ""), fields.get("encoding", "")
    is_plain = not {DATA, "line skip", "byte skip"} & set(fields) and encoding in ("raw", "gzip", "gz")
    if not is_plain or kind not in TYPES or fields.get("endian", "") not in ENDINGS:
        return None
    sizes = [int(size) for size in fields.get("sizes", "").split() if size.isdecimal()]
    if len(sizes) != 1 + SPACE_AXES or sizes[0] < 2 or min(sizes) < 1:
        return None
    layers, width, height, slices = sizes
    stored_type = np.dtype(ENDINGS[fields.get("endian", "")] + TYPES[kind])
    return StoredLayers(path, (slices, height, width, layers), stored_type, header.end, encoding != "raw")


def _has_layers_first(kinds: list[str]) -> bool:
    """Whether the numbers of all layers lie together for each voxel."""
    return kinds[:1] in [[kind] for kind in LAYERS] and kinds[1:] in [[kind] * SPACE_AXES for kind in AXES]
