"""Scribbles for tests: the images of a folder, with a few painted rows in place of its labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume


def with_strokes(labeled: Path, folder: Path, *, framed: bool = False) -> Path:
    """The same images with three rows of each slice painted, background as a segment of that name.

    Args:
        framed: A line of background runs around all of it, four voxels from the border.
    """
    (folder / "images").mkdir(parents=True)
    for case in find_cases(labeled).cases:
        read = read_labels(case.labels)
        whole = np.where(read.volume.array == 0, 99, read.volume.array)
        painted = np.zeros_like(whole)
        painted[:, ::5, ::2] = whole[:, ::5, ::2]
        if framed:
            painted[:, 4:-4, 4:-4] = np.where(painted[:, 4:-4, 4:-4] > 0, painted[:, 4:-4, 4:-4], 99)
            painted[:, 5:-5, 5:-5] = np.where(whole == 99, 0, painted)[:, 5:-5, 5:-5]
        table = LabelTable((*read.table.structures, Structure(99, "background", (0.5, 0.5, 0.5))))
        write_labels(
            folder / "images" / f"{case.name}.seg.nrrd", Volume(painted, read.volume.geometry), table
        )
        (folder / "images" / case.images[0].name).symlink_to(case.images[0])
    return folder
