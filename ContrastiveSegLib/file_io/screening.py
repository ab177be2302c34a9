"""Look at a file before ITK does: which of its readers may have it, and whether its header can be true."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import looks_like_dicom, screen_dicom
from ContrastiveSegLib.file_io.formats import FORMATS, format_of
from ContrastiveSegLib.file_io.header_limits import EXPORT_AGAIN, DeclaredSize
from ContrastiveSegLib.file_io.kept_headers import kept_while_unchanged
from ContrastiveSegLib.registry import load_entry


@dataclass(frozen=True)
class Screened:
    """A file that may be given to a reader of ITK.

    Args:
        reader: ITK's name of the reader; no other one is asked, because some take files that are not theirs.
    """

    reader: str
    declared: DeclaredSize


@cache
def _module(name: str) -> ModuleType:
    return load_entry("file_io", name, what="file format")


@kept_while_unchanged
def screen(path: Path) -> Screened:
    """Choose the reader of a file, and refuse what would make it fail in a way that cannot be caught.

    Raises:
        BadFile: The format is not known, or the header is damaged.
        OSError: The file cannot be opened.
    """
    try:
        if kind := format_of(path.name):
            return Screened(kind.reader, _module(kind.module).screen(path))
        if looks_like_dicom(path):
            return Screened("GDCMImageIO", screen_dicom(path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadFile(f"{path} is cut off or damaged: {error}.", EXPORT_AGAIN) from error
    known = ", ".join([*(kind.name for kind in FORMATS), "DICOM"])
    raise BadFile(f"{path} is damaged or not an image in a known format ({known}).", EXPORT_AGAIN)
