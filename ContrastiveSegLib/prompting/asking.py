"""What a model is told about an outline that is nearly right: a box, or the outline too.

Source: boxes as in PolyCL, MELBA 2026:002, https://arxiv.org/abs/2505.19208; outlines and points as SAM was
trained with, https://arxiv.org/abs/2304.02643.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ContrastiveSegLib.prompting._model import Mask, Prompt


def prompt_for(outline: Mask, padding: float, *, shown: bool) -> Prompt:
    """Ask for the structure with this outline (H, W).

    Args:
        padding: Pixels around the box.
        shown: Show the outline and its middle too, not its box alone.
    """
    box = box_around(outline, padding)
    return Prompt(box, outline=outline, points=((*middle_of(outline), True),)) if shown else Prompt(box)


def box_around(mask: Mask, padding: float) -> tuple[float, float, float, float]:
    """First and last column and row of a mask, wider by the padding, within the slice."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        max(0.0, columns[0] - padding),
        max(0.0, rows[0] - padding),
        min(mask.shape[1] - 1.0, columns[-1] + padding),
        min(mask.shape[0] - 1.0, rows[-1] + padding),
    )


def middle_of(mask: Mask) -> tuple[float, float]:
    """Column and row of the pixel that is farthest from the border; the middle of a crescent is inside."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column), float(row)
