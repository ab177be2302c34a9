"""A prepared case: slices of the working grid with their slice positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.preprocessing.stored_array import count_classes


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """One case on the working grid, read from disk as it is needed.

    Args:
        images: (C, K, H, W) float16, 0...1; of a prepared case opened when it is used.
        labels: (K, H, W) class indices (0 background, then in the order of the label table), IGNORE_LABEL
            where nothing is annotated; or None.
        working: Grid of these arrays.
        original: Grid of the case's image, where results belong.
        regions: (K, H, W) superpixels from 1 on, or None if nobody asked.
        annotation: What the labels are: "cases", "slices" or "scribbles"; "none": nothing is.
        weight: How often its slices are drawn, beside cases that are drawn once.
    """

    name: str
    patient: str
    images: npt.NDArray[np.float16]
    labels: npt.NDArray[Any] | None
    working: Geometry
    original: Geometry
    regions: npt.NDArray[Any] | None = None
    annotation: str = "cases"
    weight: int = 1

    @property
    def channels(self) -> int:
        return int(self.images.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, H, W) of the working grid."""
        return self.working.shape

    @property
    def label_map(self) -> npt.NDArray[Any]:
        """The labels, for those who cannot do without.

        Raises:
            ValueError: The case was prepared without labels.
        """
        if self.labels is None:
            raise ValueError(f"{self.name} was prepared without labels")
        return self.labels

    def classes_of_slices(self) -> Sequence[Sequence[int]]:
        """The class indices in each slice, IGNORE_LABEL among them; known without reading a prepared case."""
        counted = getattr(self.labels, "classes_of_slices", None)
        return counted if counted is not None else count_classes(self.label_map)

    @property
    def region_map(self) -> npt.NDArray[Any]:
        """The superpixels, for those who cannot do without.

        Raises:
            ValueError: The case was prepared without them.
        """
        if self.regions is None:
            raise ValueError(f"{self.name} was prepared without regions")
        return self.regions

    def as_unannotated(self) -> PreparedCase:
        """The same case with IGNORE_LABEL everywhere: one value for all voxels, which takes no memory."""
        unknown = np.broadcast_to(np.int16(IGNORE_LABEL), self.shape)
        return replace(self, labels=unknown, annotation="none")

    def slice_position(self, k: int) -> float:
        """Position of slice `k` (from 0) in the volume: 1/K ... 1.

        Source: docs/methods/index.md: pos = (i + 1) / n.
        """
        return (k + 1) / self.shape[0]
