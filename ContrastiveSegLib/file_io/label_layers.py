"""The layers of a file of labels, one at a time: Slicer writes further ones for segments that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.layered_nrrd import thickness
from ContrastiveSegLib.imaging.label_array import LabelArray
from ContrastiveSegLib.imaging.label_values import whole_numbers


@dataclass(frozen=True)
class LabelLayers:
    """Each layer as whole numbers, slab by slab: sixty whole ones would fill a memory.

    Args:
        stored: Gives the voxels (k, H, W, L) of one slab after the other, as they are in the file.
        count: Of layers, L.
        shape: (K, H, W).
        step: As in `whole_numbers`.
    """

    stored: Callable[[], Iterator[npt.NDArray[Any]]]
    count: int
    shape: tuple[int, int, int]
    path: Path
    step: float = 0.0

    @classmethod
    def of_image(
        cls, image: sitk.Image, shape: tuple[int, int, int], path: Path, step: float = 0.0
    ) -> LabelLayers:
        """The layers of an image of three axes; those beyond have length one."""
        count = int(image.GetNumberOfComponentsPerPixel())
        voxels = sitk.GetArrayViewFromImage(image).reshape(*shape, count)
        # What is said of rounded numbers is counted over the whole layer.
        is_cut = count > 1 and np.issubdtype(voxels.dtype, np.integer)
        thick = thickness(voxels[:1].nbytes) if is_cut else max(len(voxels), 1)

        def slabs(
            owner: sitk.Image = image,
        ) -> Iterator[npt.NDArray[Any]]:  # else the view outlives its voxels
            del owner
            return (voxels[first : first + thick] for first in range(0, len(voxels), thick))

        return cls(slabs, count, shape, path, step)

    def slabs(self) -> Iterator[tuple[slice, Iterator[tuple[LabelArray, tuple[str, ...]]]]]:
        """Which slices a slab holds, and each layer of it (k, H, W) with a note if its numbers were rounded.

        Raises:
            BadFile: A layer does not hold whole numbers from 0 on.
        """
        first = 0
        for voxels in self.stored():
            yield slice(first, first + len(voxels)), self._layers_of(voxels)
            first += len(voxels)

    @property
    def are_empty(self) -> bool:
        """Whether nothing is drawn in any layer."""
        return not any(layer.any() for _, layers in self.slabs() for layer, _ in layers)

    def only(self) -> tuple[LabelArray, tuple[str, ...]]:
        """The layer of a plain label map.

        Raises:
            BadFile: There are several, which nothing describes, or no whole numbers.
        """
        if self.count > 1:
            raise several_numbers(self.path, self.count)
        (layers,) = [list(layers) for _, layers in self.slabs()]
        return layers[0]

    def _layers_of(self, voxels: npt.NDArray[Any]) -> Iterator[tuple[LabelArray, tuple[str, ...]]]:
        for number in range(self.count):
            yield whole_numbers(voxels[..., number], self.path, step=self.step)


def several_numbers(path: Path, count: int) -> BadFile:
    """The error for layers that are no labels by themselves."""
    return BadFile(
        f"{path} has {count} numbers per voxel, but no segments are described in it.",
        "Save the labels as one whole number per voxel, or as .seg.nrrd from Slicer.",
    )
