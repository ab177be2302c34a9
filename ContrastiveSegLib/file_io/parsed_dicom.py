"""Parse a DICOM file with pydicom, which is loaded when the first one is met."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def parse(path: Path, **options: Any) -> Any:
    """The data set of a file; the options are those of `pydicom.dcmread`."""
    # Each process that reads files would wait for it, and most of them never meet such a file.
    import pydicom

    return pydicom.dcmread(path, **options)
