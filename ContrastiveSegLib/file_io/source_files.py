"""Which files an image is read from: its own, those beside a header that hold voxels, those of a series."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import looks_like_dicom
from ContrastiveSegLib.file_io.file_names import is_hidden, split_suffix
from ContrastiveSegLib.file_io.meta_header import is_meta, read_meta_header
from ContrastiveSegLib.file_io.nrrd_header import is_nrrd, read_nrrd_header
from ContrastiveSegLib.file_io.text_header import TextHeader


def source_files(path: Path) -> tuple[Path, ...]:
    """The files that are opened to read a path; of DICOM all that may be slices, in the order of their names.

    A damaged header stands for itself: whoever reads it says why.
    """
    if path.is_dir():
        files = (file for file in path.iterdir() if not split_suffix(file.name)[1])
        return tuple(sorted(file for file in files if not is_hidden(file.name) and file.is_file()))
    with contextlib.suppress(BadFile, OSError):
        if header := text_header(path):
            return (path, *header.voxels_beside())
        if not split_suffix(path.name)[1] and looks_like_dicom(path):
            return source_files(path.parent)
    return (path,)


def text_header(path: Path) -> TextHeader | None:
    """The header of a file whose format has named fields; None for other formats.

    Raises:
        BadFile: The header is damaged.
        OSError: The file cannot be opened.
    """
    if is_meta(path):
        return read_meta_header(path)
    return read_nrrd_header(path) if is_nrrd(path) else None


def file_size(path: Path) -> int:
    """In bytes; -1 for what is not there: whoever reads it says so."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
