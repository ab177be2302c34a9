"""Scribbles as a person might have drawn them, from complete labels: to measure what scribbles are worth.

Source: the recipe of WSL4MIS (Luo et al., MICCAI 2022, arXiv 2203.02106):
erode, thin, keep one branch, dilate, move a little, and keep what still lies within the structure. Where the
branch is hardly more than a dot, a straight line takes its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import route_through_array
from skimage.morphology import skeletonize

LARGE = 900  # pixels, from which on a mask is eroded first
EROSIONS = (4, 10)  # times, both ends included
JITTERED = 1000  # pixels, from which on the scribble is moved
SHIFT = 6  # pixels, to both sides
TURN = 15.0  # degrees, to both sides
SHORTEST = 0.4  # of the square root of the area; a disc has a dot for a skeleton, but nobody draws a dot

Mask = npt.NDArray[np.bool_]
NEIGHBORS = ndimage.generate_binary_structure(2, 2)


def simulated_scribbles(labels: npt.NDArray[Any], random: np.random.Generator) -> npt.NDArray[np.int16]:
    """One stroke on each structure of each slice, and one on the background of slices with a structure.

    Args:
        labels: (K, H, W) complete labels, slices along the first axis; 0 is background.

    Returns:
        (K, H, W) the value of the structure where it was painted, 0 where background was painted, and the
        largest value + 1 where nothing was: the code of the scribbles of ACDC, whose 4 means that.
    """
    scribbles = np.full(labels.shape, int(labels.max(initial=0)) + 1, np.int16)
    for drawn, truth in zip(scribbles, labels, strict=True):
        values = np.unique(truth)
        for value in values if values.any() else ():
            drawn[stroke(truth == value, random)] = value
    return scribbles


def stroke(mask: Mask, random: np.random.Generator) -> Mask:
    """One stroke within the largest piece of a mask (H, W); of a mask without pixels, none."""
    if not mask.any():
        return mask
    piece = _largest_piece(mask)
    inner = _eroded(piece, random)
    line = one_branch(skeletonize(inner, method="lee") > 0, random)  # type: ignore[no-untyped-call]
    if line.sum() < SHORTEST * np.sqrt(piece.sum()):
        line = _straight_line(inner, random)
    thick = ndimage.binary_dilation(line)
    moved = _moved(thick, random) & piece if mask.sum() > JITTERED else thick & piece
    return moved if moved.any() else thick & piece  # moved out of a crescent, it would be no stroke at all


def one_branch(skeleton: Mask, random: np.random.Generator) -> Mask:
    """The way between two random ends of a skeleton (H, W); between any two pixels, if it is a ring."""
    degree = ndimage.convolve(skeleton.astype(int), NEIGHBORS.astype(int), mode="constant") - 1
    ends = np.argwhere(skeleton & (degree == 1))
    places = ends if len(ends) > 1 else np.argwhere(skeleton)
    begin, end = random.choice(places, 2)  # of a single pixel, twice the same
    costs = np.where(skeleton, 1.0, 1e6)  # a skeleton that thinning broke is bridged at its narrowest gap
    way, _ = route_through_array(costs, begin, end)  # type: ignore[no-untyped-call]
    branch = np.zeros_like(skeleton)
    branch[tuple(np.transpose(way))] = True
    return branch


def _straight_line(mask: Mask, random: np.random.Generator) -> Mask:
    """A line in a random direction through the innermost pixel of a mask, as far as the mask reaches."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    middle = np.array(np.unravel_index(np.argmax(depth), mask.shape))
    angle = random.uniform(0, np.pi)
    along = np.arange(-max(mask.shape), max(mask.shape) + 0.5, 0.5)[:, None]
    places = np.round(middle + along * [np.sin(angle), np.cos(angle)]).astype(int)
    rows, columns = places[((places >= 0) & (places < mask.shape)).all(1)].T
    line = np.zeros_like(mask)
    line[rows, columns] = True
    pieces, _ = ndimage.label(line & mask, NEIGHBORS)
    through: Mask = pieces == pieces[tuple(middle)]
    return through


def _largest_piece(mask: Mask) -> Mask:
    pieces, count = ndimage.label(mask, NEIGHBORS)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    largest: Mask = pieces == int(np.argmax(sizes)) + 1
    return largest


def _eroded(mask: Mask, random: np.random.Generator) -> Mask:
    """Eroded as often as drawn, or as often as something remains."""
    if mask.sum() <= LARGE:
        return mask
    times = int(random.integers(EROSIONS[0], EROSIONS[1] + 1))
    depth = ndimage.distance_transform_cdt(mask, "taxicab")
    remains: Mask = depth > min(times, int(depth.max()) - 1)
    return remains


def _moved(line: Mask, random: np.random.Generator) -> Mask:
    """Shifted and turned a little around its middle."""
    angle = np.radians(random.uniform(-TURN, TURN))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.argwhere(line).mean(0)
    shift = random.uniform(-SHIFT, SHIFT, 2)
    offset = middle - turn @ (middle + shift)
    moved: Mask = ndimage.affine_transform(line.astype(np.uint8), turn, offset, order=0) > 0
    return moved
