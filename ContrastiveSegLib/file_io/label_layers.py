"""The layers of a file of labels, one at a time: Slicer writes further ones for segments that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.label_values import whole_numbers

Layer = npt.NDArray[np.int16]


@dataclass(frozen=True)
class LabelLayers:
    """Each layer as whole numbers (K, H, W), made when it is asked for: sixty of them would fill a memory.

    Args:
        image: Of three axes; those beyond have length one.
        shape: (K, H, W).
        step: As in `whole_numbers`.
    """

    image: sitk.Image
    shape: tuple[int, int, int]
    path: Path
    step: float = 0.0

    def __len__(self) -> int:
        return int(self.image.GetNumberOfComponentsPerPixel())

    def __iter__(self) -> Iterator[Layer]:
        return (layer for layer, _ in self.with_notes())

    def with_notes(self) -> Iterator[tuple[Layer, tuple[str, ...]]]:
        """Each layer, and a note if its numbers had to be rounded.

        Raises:
            BadFile: A layer does not hold whole numbers from 0 on.
        """
        for number in range(len(self)):
            one = self.image if len(self) == 1 else sitk.VectorIndexSelectionCast(self.image, number)
            voxels = sitk.GetArrayViewFromImage(one).reshape(self.shape)
            yield whole_numbers(voxels, self.path, step=self.step)

    def only(self) -> tuple[Layer, tuple[str, ...]]:
        """The layer of a plain label map.

        Raises:
            BadFile: There are several, which nothing describes, or no whole numbers.
        """
        if len(self) > 1:
            raise BadFile(
                f"{self.path} has {len(self)} numbers per voxel, but no segments are described in it.",
                "Save the labels as one whole number per voxel, or as .seg.nrrd from Slicer.",
            )
        return next(self.with_notes())
