"""Look at a file before ITK does: which of its readers may have it, and whether its header can be true."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import looks_like_dicom, screen_dicom
from ContrastiveSegLib.file_io.header_limits import (
    EXPORT_AGAIN,
    MOST_INFLATION,
    Promise,
    check_held,
    damaged,
)
from ContrastiveSegLib.file_io.meta_header import is_meta, screen_meta
from ContrastiveSegLib.file_io.nifti_header import (
    is_nifti,
    open_uncompressed,
    read_nifti_header,
)
from ContrastiveSegLib.file_io.nrrd_header import is_nrrd, screen_nrrd

SPACE_AXES = 3


@dataclass(frozen=True)
class Screened:
    """A file that may be given to a reader of ITK.

    Args:
        reader: ITK's name of the reader; no other one is asked, because some take files that are not theirs.
    """

    reader: str
    promise: Promise


def screen(path: Path) -> Screened:
    """Choose the reader of a file, and refuse what would make it fail in a way that cannot be caught.

    Raises:
        BadFile: The format is not known, or the header is damaged.
        OSError: The file cannot be opened.
    """
    stat = path.stat()
    return _screened(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _screened(path: Path, _size: int, _time: int) -> Screened:
    """A file is looked at several times on its way; this is done once as long as it stays the same."""
    try:
        if is_nifti(path):
            return Screened("NiftiImageIO", _screen_nifti(path))
        if is_nrrd(path):
            return Screened("NrrdImageIO", screen_nrrd(path))
        if is_meta(path):
            return Screened("MetaImageIO", screen_meta(path))
        if looks_like_dicom(path):
            return Screened("GDCMImageIO", screen_dicom(path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadFile(f"{path} is cut off or damaged: {error}.", EXPORT_AGAIN) from error
    raise BadFile(
        f"{path} is damaged or not an image in a known format (NIfTI, NRRD, MHA/MHD, DICOM).", EXPORT_AGAIN
    )


def _screen_nifti(path: Path) -> Promise:
    header = read_nifti_header(path)
    size = path.stat().st_size
    if header is None:
        # Analyze: how much it holds is not known here.
        return Promise(size, size, is_certain=False)
    axes, *sizes = header.dim
    if not 1 <= axes <= 7:
        raise damaged(path, f"it has {axes} dimensions")
    # ITK takes 1 for a number of voxels below: a whole volume would be one slice.
    if min(sizes[: min(axes, SPACE_AXES)]) < 1:
        raise damaged(path, f"it has {' x '.join(map(str, sizes[:axes]))} voxels")
    bytes_of_voxels = header.data_end - header.data_start
    with open_uncompressed(path) as file:
        is_compressed = isinstance(file, gzip.GzipFile)
    check_held(path, bytes_of_voxels, size, inflation=MOST_INFLATION if is_compressed else 1)
    return Promise(bytes_of_voxels, bytes_of_voxels)
