"""A checksum of drawn labels alone, which is the same after any other program has saved them again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.file_io.files import open_labels
from ContrastiveSegLib.file_io.reader import in_reader_process


def digest_of_labels(array: npt.NDArray[Any]) -> str:
    """Of a label map (K, H, W): the box around all that is drawn, so that cropped background is no change."""
    drawn = array != 0
    box = tuple(_span(drawn.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    inside = np.ascontiguousarray(array[box], np.int32)
    return hashlib.sha256(repr(inside.shape).encode() + inside.tobytes()).hexdigest()


@in_reader_process
def read_label_digest(path: Path) -> str:
    """As `digest_of_labels`, of a file.

    Raises:
        BadFile: It cannot be read, or is no plain label map.
    """
    return digest_of_labels(open_labels(path)[1].only()[0])


def _span(filled: npt.NDArray[np.bool_]) -> slice:
    where = np.flatnonzero(filled)
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0)
