"""The formats of volumes that a file's name tells: one line for each.

A format is a module of this folder with `screen(path)`, which checks a header before ITK opens the file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileFormat:
    """A format, by its suffixes.

    Args:
        reader: ITK's name of the reader; no other one is asked, because some take files that are not theirs.
        module: The file in this folder that checks the header.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: str
    module: str


FORMATS = (
    FileFormat("NIfTI", (".nii.gz", ".nii"), "NiftiImageIO", "nifti_header"),
    FileFormat("NRRD", (".nrrd", ".nhdr"), "NrrdImageIO", "nrrd_header"),
    FileFormat("MHA/MHD", (".mha", ".mhd"), "MetaImageIO", "meta_header"),
)


def format_of(name: str) -> FileFormat | None:
    """The format of a file by its name; None if no suffix fits."""
    return next((kind for kind in FORMATS if name.lower().endswith(kind.suffixes)), None)


def has_format(name: str, module: str) -> bool:
    """Whether a file's name says that it has the format of this module."""
    kind = format_of(name)
    return kind is not None and kind.module == module
