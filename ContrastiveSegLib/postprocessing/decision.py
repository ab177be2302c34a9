"""From class probabilities to the labels of a prediction: the steps, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.imaging.label_array import label_type
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.postprocessing.connected_components import Group, keep_largest
from ContrastiveSegLib.postprocessing.intensity_refinement import refine_by_intensities
from ContrastiveSegLib.postprocessing.restoring import restore_probabilities
from ContrastiveSegLib.postprocessing.spatial_prior import UsualPosition, remove_unlikely

Slices = Iterable[npt.NDArray[np.float16]]


@dataclass(frozen=True)
class Rules:
    """How probabilities become labels.

    Args:
        values: The value of each structure in label files, in the order of the classes.
        single_components: Groups of class indices of which one component is kept, one after the other.
        places: Where a group usually lies, if scans agreed on it; elsewhere the largest component is kept.
        intensity_refinement: Let the gray values of the volume correct what the network says of it.
    """

    values: tuple[int, ...]
    single_components: tuple[Group, ...] = ()
    places: Mapping[Group, UsualPosition] = field(default_factory=dict)
    intensity_refinement: bool = True


def decide_classes(
    slices: Slices,
    working: Volume,
    original: Geometry,
    rules: Rules,
    *,
    collect: Callable[[Slices], Slices] = iter,
) -> tuple[Volume, Volume]:
    """The class of each voxel on the grid of the image, before small components are removed.

    Args:
        slices: (classes, H, W) of each slice of the working grid, background first.
        working: The prepared image (C, K, H, W).
        collect: Is given the refined slices, and gives them on.

    Returns:
        Class indices (K, H, W), and uncertainty (1, K, H, W): entropy, 0...1.
    """
    if rules.intensity_refinement:
        slices = refine_by_intensities(slices, working.array, working.geometry.spacing_khw[-1])
    slices = remove_unlikely(collect(slices), rules.single_components, rules.places, working.geometry)
    return restore_probabilities(slices, working.geometry, original)


def final_labels(classes: npt.NDArray[Any], rules: Rules) -> npt.NDArray[Any]:
    """Class indices (K, H, W) to the values of the structures, without small components."""
    values = np.array([0, *rules.values], label_type(max(rules.values, default=0)))
    labels = keep_largest(classes, rules.single_components).astype(values.dtype, copy=False)
    for plane in labels:
        plane[:] = values[plane]
    return labels
