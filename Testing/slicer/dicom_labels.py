"""Write a DICOM series with segments and one with contours into a folder, in the Python of the jobs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ContrastiveSegLib.file_io.files import read_geometry
from Testing.file_io.test_dicom_contours import contour, write
from Testing.file_io.test_dicom_segmentation import LIVER, SHAPE, SPLEEN, _segment, _write_seg, write_series

SQUARE = [(0.6, 1.6), (4.4, 1.6), (4.4, 4.4), (0.6, 4.4)]


def write_both(folder: Path) -> None:
    """Two oblique series with their labels beside them."""
    masks = np.zeros((*SHAPE, 2), np.uint8)
    masks[1:3, 2:5, 1:4, 0] = 1
    masks[3, 4:6, 3:5, 1] = 1
    sources = write_series(folder / "filled", 1)
    _write_seg(
        folder / "seg.dcm", sources, masks, [_segment(1, "liver", LIVER), _segment(2, "spleen", SPLEEN)]
    )
    series = write_series(folder / "drawn", 2)[0].SeriesInstanceUID
    grid = read_geometry([folder / "drawn"])
    write(folder / "rs.dcm", {"liver": [contour(SQUARE, 2, grid)]}, series=series)


if __name__ == "__main__":
    write_both(Path(sys.argv[1]))
