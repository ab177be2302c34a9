"""Slices with the outlines of several labelings side by side: truth, and each way of training."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.runs.atomic_write import write_atomically

SLICES = 2


@dataclass(frozen=True)
class Shown:
    """One case to show.

    Args:
        image: (C, K, H, W); the first channel is shown.
        labelings: Title to label map (K, H, W) on the image's grid; the first one chooses the slices.
    """

    name: str
    image: Volume
    labelings: Mapping[str, Volume]


def draw_overview(path: Path, cases: Sequence[Shown], table: LabelTable) -> None:
    """One row per case and slice, one column per labeling, all structures in their own colors.

    Raises:
        CannotWrite: The picture cannot be written.
    """
    rows = [(case, k) for case in cases for k in _slices_to_show(next(iter(case.labelings.values())).array)]
    titles = list(cases[0].labelings)
    figure = Figure(
        figsize=(2.6 * len(titles), 2.7 * len(rows) + 0.5), facecolor="black", layout="constrained"
    )
    panels = figure.subplots(len(rows), len(titles), squeeze=False)
    for row, (case, k) in zip(panels, rows, strict=True):
        for panel, title in zip(row, titles, strict=True):
            draw_slice(panel, case.image, case.labelings[title].array[k], k, table)
        row[0].set_ylabel(f"{case.name}\nslice {k + 1}", color="white", fontsize=7)
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title, color="white", fontsize=10)
    save(path, figure)


def save(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, without a display.

    Raises:
        CannotWrite: The picture cannot be written.
    """
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=90, facecolor=figure.get_facecolor())
    write_atomically(path, buffer.getvalue())


def draw_slice(panel: Any, image: Volume, labels: npt.NDArray[Any], k: int, table: LabelTable) -> None:
    """Slice `k` of an image with the outlines of labels (H, W), in the colors of the table."""
    gray = image.array[0]
    low, high = np.percentile(gray, (1, 99.5))
    height_per_width = image.geometry.spacing[1] / image.geometry.spacing[0]
    panel.imshow(gray[k], cmap="gray", vmin=low, vmax=high, aspect=height_per_width, interpolation="nearest")
    for structure in table.structures:
        mask = labels == structure.value
        if mask.any():
            panel.contour(mask, levels=[0.5], colors=[structure.color], linewidths=1.2)
    panel.set_xticks([])
    panel.set_yticks([])


def _slices_to_show(labels: npt.NDArray[Any]) -> list[int]:
    """Slices spread over the part of the volume that shows structures."""
    shown = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    if not len(shown):
        return [labels.shape[0] // 2]
    places = np.linspace(0, len(shown) - 1, SLICES + 2)[1:-1]
    return sorted({int(shown[round(place)]) for place in places})
