"""Correct a prediction by the gray values of its own volume: each structure has its own intensities there.

One step of expectation and maximization, as Van Leemput et al., Automated model-based tissue classification
of MR images of the brain, IEEE Trans Med Imaging 1999, doi 10.1109/42.811270. There a normal distribution of
each class in the whole volume, here histograms of each slice and its neighbors, because light falls off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import softmax

from ContrastiveSegLib.postprocessing.histograms import BINS, NEAR_MM, density_of, levels_of

# A class that the network rules out stays that: no gray value outweighs this.
LEAST = 1e-4
# Slices by which the histograms are blurred, and how many on each side are heard.
BLUR_SLICES = 1.0
REACH = int(4 * BLUR_SLICES + 0.5)
# A slice of 60 classes at once would need several gigabytes of logarithms.
PIXELS_AT_ONCE = 2**16

Slice = npt.NDArray[np.float16]


def refine_by_intensities(
    slices: Iterable[Slice], image: npt.NDArray[Any], pixel_mm: float
) -> Iterator[Slice]:
    """Hear the gray values near the structures; far away probabilities stay.

    A slice is given back as soon as those are known that its histograms are blurred with.

    Args:
        slices: One (N, H, W) after the other, background first; changed in place.
        image: (C, K, H, W), gray values 0...1; channels are heard as one, by their mean.
    """
    waiting: deque[tuple[Slice, npt.NDArray[np.bool_]]] = deque()
    counts: list[npt.NDArray[np.float64]] = []  # (C, N, BINS) of each slice so far
    for k, probabilities in enumerate(slices):
        near = _near(probabilities[0], pixel_mm)
        waiting.append((probabilities, near))
        counts.append(_counts(probabilities, [levels_of(channel[k])[near] for channel in image], near))
        if len(waiting) > REACH:
            yield _corrected(*waiting.popleft(), counts, image, k - REACH)
    while waiting:
        yield _corrected(*waiting.popleft(), counts, image, len(counts) - len(waiting) - 1)


def _near(background: Slice, pixel_mm: float) -> npt.NDArray[np.bool_]:
    """What lies within NEAR_MM of a structure in a slice (H, W)."""
    outside = background > 0.5
    if outside.all():
        return ~outside
    near: npt.NDArray[np.bool_] = ndimage.distance_transform_edt(outside) <= NEAR_MM / pixel_mm
    return near


def _counts(
    probabilities: Slice, levels: Sequence[npt.NDArray[np.int64]], near: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """How often each class shows each gray level in a slice: (C, N, BINS)."""
    counts = np.zeros((len(levels), len(probabilities), BINS))
    for n, probability in enumerate(probabilities):
        weights = probability[near].astype(np.float64)
        for c, of_channel in enumerate(levels):
            counts[c, n] = np.bincount(of_channel, weights, BINS)
    return counts


def _corrected(
    probabilities: Slice,
    near: npt.NDArray[np.bool_],
    counts: Sequence[npt.NDArray[np.float64]],
    image: npt.NDArray[Any],
    k: int,
) -> Slice:
    """One slice, by its own histograms and those of its neighbors."""
    first = max(0, k - REACH)
    neighbors = np.stack(counts[first : k + REACH + 1])  # (up to 2 REACH + 1, C, N, BINS)
    blurred = ndimage.gaussian_filter1d(neighbors, BLUR_SLICES, axis=0, mode="nearest")[k - first]
    logs = np.log([density_of(of_channel) for of_channel in blurred])  # (C, N, BINS)
    levels = [levels_of(channel[k])[near] for channel in image]
    rows, columns = np.nonzero(near)
    for part in np.array_split(np.arange(len(rows)), max(1, -(-len(rows) // PIXELS_AT_ONCE))):
        heard = [of_channel[:, there[part]] for of_channel, there in zip(logs, levels, strict=True)]
        place = (slice(None), rows[part], columns[part])
        said = np.log(probabilities[place].astype(np.float32) + LEAST)
        probabilities[place] = softmax(said + np.mean(heard, axis=0), axis=0)
    return probabilities
