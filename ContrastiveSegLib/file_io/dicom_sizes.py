"""How large pixels and slices are, as the headers of DICOM slices say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.header_limits import is_finite
from ContrastiveSegLib.file_io.opening import header_text
from ContrastiveSegLib.imaging.header_geometry import CORRECT

PIXEL_SPACING = "0028|0030"
THICKNESS, BETWEEN_SLICES = "0018|0050", "0018|0088"
# Of what scanners round.
SAME_SPACING = 0.01


def pixel_notes(
    path: Path, files: Sequence[Path], headers: Sequence[sitk.ImageFileReader]
) -> tuple[str, ...]:
    """A note where no size of pixels is given: GDCM takes 1 mm then, and also for one that cannot be.

    Raises:
        BadFile: A size cannot be, or the slices have several.
    """
    texts = [header_text(header, PIXEL_SPACING) for header in headers]
    sizes = [_pixel_size(text, file) for text, file in zip(texts, files, strict=True) if text]
    if not sizes:
        is_unknown = headers[0].GetSpacing()[:2] == (1, 1)
        note = f"{path.name}: it does not say how large its pixels are; they are taken as 1 mm wide."
        return (note,) if is_unknown else ()
    if len(sizes) < len(headers) or not np.allclose(sizes, sizes[0], rtol=SAME_SPACING, atol=0):
        raise BadFile(
            f"The slices of the DICOM series in {path} have pixels of different sizes.",
            "Choose a series of slices that were taken alike.",
        )
    return ()


def thickness_of(header: sitk.ImageFileReader) -> float:
    """Of a slice with the gap to the next, in mm; 0 if the header does not say."""
    texts = (header_text(header, key) for key in (THICKNESS, BETWEEN_SLICES))
    return max((abs(float(text)) for text in texts if is_finite(text)), default=0.0)


def _pixel_size(text: str, file: Path) -> list[float]:
    try:
        size = [float(part) for part in text.split("\\")]
    except ValueError:
        size = []
    if len(size) != 2 or not all(0 < number < math.inf for number in size):
        raise BadFile(f"{file} has pixels of '{text}' mm by its header, which cannot be.", CORRECT)
    return size
