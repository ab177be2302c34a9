"""Many slices side by side, each with a line above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from matplotlib.figure import Figure

from ContrastiveSegLib.pictures.overview import save

COLUMNS = 6
MOST = 60


@dataclass(frozen=True, eq=False)
class Shown:
    """One slice.

    Args:
        image: (H, W), 0...1.
        height_per_width: Of a pixel.
        title: In large letters.
        below: In small letters under it.
    """

    image: npt.NDArray[Any]
    height_per_width: float
    title: str
    below: str


def draw_contact_sheet(path: Path, groups: Sequence[tuple[str, Sequence[Shown]]]) -> None:
    """Rows of slices, group after group; of a long group the first 60.

    Args:
        groups: Heading and slices.

    Raises:
        CannotWrite: The picture cannot be written.
    """
    filled = [(heading, shown[:MOST]) for heading, shown in groups if shown]
    rows = [-(-len(shown) // COLUMNS) for _, shown in filled]
    columns = min(COLUMNS, max(len(shown) for _, shown in filled))
    figure = Figure(
        figsize=(2.3 * columns, 2.75 * sum(rows) + 0.4 * len(rows)), facecolor="black", layout="constrained"
    )
    parts = figure.subfigures(len(filled), 1, squeeze=False, height_ratios=rows)[:, 0]
    for part, (heading, shown), count in zip(parts, filled, rows, strict=True):
        part.set_facecolor("black")
        part.suptitle(heading, color="white", fontsize=11)
        panels = part.subplots(count, columns, squeeze=False).ravel()
        for panel in panels:
            panel.set_axis_off()
        for panel, one in zip(panels, shown, strict=False):
            _draw(panel, one)
    save(path, figure)


def _draw(panel: Any, one: Shown) -> None:
    gray = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "bilinear"}
    panel.imshow(one.image, aspect=one.height_per_width, **gray)
    panel.set_title(one.title, color="#ffb000", fontsize=9, pad=3)
    panel.text(
        0.5, -0.02, one.below, color="white", fontsize=6.5, ha="center", va="top", transform=panel.transAxes
    )
