"""Which files an image is read from: its own, those beside a header that hold voxels, those of a series."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import looks_like_dicom
from ContrastiveSegLib.file_io.file_names import is_hidden, split_suffix
from ContrastiveSegLib.file_io.meta_header import is_meta, voxels_beside_meta
from ContrastiveSegLib.file_io.nrrd_header import is_nrrd, voxels_beside_nrrd


def source_files(path: Path) -> tuple[Path, ...]:
    """The files that are opened to read a path; of DICOM all that may be slices, in the order of their names.

    A damaged header stands for itself: whoever reads it says why.
    """
    if path.is_dir():
        files = (file for file in path.iterdir() if not split_suffix(file.name)[1])
        return tuple(sorted(file for file in files if not is_hidden(file.name) and file.is_file()))
    with contextlib.suppress(BadFile, OSError):
        if is_meta(path):
            return (path, *voxels_beside_meta(path))
        if is_nrrd(path):
            return (path, *voxels_beside_nrrd(path))
        if not split_suffix(path.name)[1] and looks_like_dicom(path):
            return source_files(path.parent)
    return (path,)
