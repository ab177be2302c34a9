"""Where structures usually lie, as many scans agree; of several components the likely one is kept.

A network that saw one patient finds the heart in most others, and often something larger beside it. What is
mistaken lies here and there, what is right lies at one place: mean shift (Comaniciu and Meer, IEEE TPAMI
2002, doi 10.1109/34.1000236) climbs from the annotated cases to where most of the found components are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.postprocessing.connected_components import TOUCHING, Group, keep_largest

Array = npt.NDArray[np.float64]

# Widths of the climb, as parts of the structures' own extent: first wide, to leave a patient who lies oddly.
WIDE, NARROW = 1.8, 1.0
STEPS = 30
SMALLEST_SPREAD = (0.08, 2.0, 2.0)  # of slice position (0...1), and of rows and columns in mm
FEWEST_AGREE = 0.4  # of the cases; where fewer agree there is no usual place
WAIT_IN_MEMORY = 2**30  # bytes of probabilities
ALMOST_NOTHING = 0.02  # of all that was found in a case; crumbs are everywhere


@dataclass(frozen=True)
class UsualPosition:
    """A place in an image: (3,) slice position 0...1, rows and columns in mm from the image's center.

    Args:
        spread: Standard deviation along each axis.
    """

    center: tuple[float, float, float]
    spread: tuple[float, float, float]

    def likelihood(self, at: Sequence[float]) -> float:
        """1 at the center, less far away."""
        apart = np.subtract(at, self.center) / self.spread
        return float(np.exp(-0.5 * (apart**2).sum()))

    def to_json(self) -> dict[str, list[float]]:
        """Plain values."""
        return {"center": list(self.center), "spread": list(self.spread)}


Places = Mapping[Group, UsualPosition]


@dataclass(frozen=True)
class Component:
    """A connected component of some structures: its share of all that was found, and its center."""

    share: float
    at: tuple[float, float, float]


def find_components(labels: npt.NDArray[Any], group: Group, grid: Geometry) -> list[Component]:
    """The components of a group of classes in a label map (K, H, W), without crumbs."""
    numbered, count = ndimage.label(np.isin(labels, group), TOUCHING)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    centers = ndimage.center_of_mass(numbered > 0, numbered, range(1, count + 1))
    return [
        Component(float(size / sizes.sum()), _position(center, grid))
        for size, center in zip(sizes, centers, strict=True)
        if size > ALMOST_NOTHING * sizes.sum()
    ]


def annotated_position(
    label_maps: Iterable[tuple[npt.NDArray[Any], Geometry]], group: Group
) -> UsualPosition | None:
    """Where a group lies in annotated cases, and how far it extends; None where nobody drew it."""
    centers, extents = [], []
    for labels, grid in label_maps:
        where = np.argwhere(np.isin(labels, group))
        if len(where):
            positions = np.array(
                [_position(row, grid) for row in (where.mean(0), where.mean(0) + where.std(0))]
            )
            centers.append(positions[0])
            extents.append(positions[1] - positions[0])
    if not centers:
        return None
    return _place(np.mean(centers, 0), np.mean(extents, 0))


def usual_position(found: Sequence[Sequence[Component]], drawn: UsualPosition) -> UsualPosition | None:
    """Where most of the cases have a component; None where they do not agree.

    Args:
        found: The components of each case.
        drawn: Where it lies in annotated cases, and its extent.
    """
    components = [component for case in found for component in case]
    if not components:
        return None
    at, share = np.array([p.at for p in components]), np.array([p.share for p in components])
    extent, center = np.array(drawn.spread), np.array(drawn.center)
    for step in range(STEPS):
        near = share * _closeness(at, center, extent * (WIDE if step < STEPS // 2 else NARROW))
        if near.sum() < 1e-9:
            return None
        center = near @ at / near.sum()
    near = share * _closeness(at, center, extent)
    spread = np.sqrt(near @ (at - center) ** 2 / near.sum())
    usual = _place(center, np.clip(1.5 * spread, 0.4 * extent, 1.2 * extent))
    agree = [
        any(np.abs(np.subtract(p.at, center) / extent).max() < 1.5 for p in case) for case in found if case
    ]
    return usual if np.mean(agree) >= FEWEST_AGREE else None


def keep_likely(
    labels: npt.NDArray[Any], groups: Iterable[Group], places: Places, grid: Geometry
) -> npt.NDArray[Any]:
    """A copy in which each group in turn keeps one component: the likeliest where its usual place is known.

    Where it is not, the largest. A component counts by its size and by where it is.
    """
    kept = labels.copy()
    for group in groups:
        components = find_components(kept, group, grid) if group in places else []
        if len(components) < 2:
            kept = keep_largest(kept, [group])
            continue
        best = max(components, key=lambda component: component.share * places[group].likelihood(component.at))
        numbered, count = ndimage.label(np.isin(kept, group), TOUCHING)
        centers = ndimage.center_of_mass(numbered > 0, numbered, range(1, count + 1))
        chosen = 1 + [_position(center, grid) for center in centers].index(best.at)
        kept[(numbered != chosen) & (numbered > 0)] = 0
    return kept


def remove_unlikely(
    slices: Iterable[npt.NDArray[np.float16]], groups: Sequence[Group], places: Places, grid: Geometry
) -> Iterator[npt.NDArray[np.float16]]:
    """Make background of components that `keep_likely` would not keep, in slices (N, H, W).

    Which these are is known after the last slice; meanwhile the others wait in a file, as all of them may be
    larger than the memory.
    """
    if not places:
        yield from slices
        return
    labels = []
    with tempfile.SpooledTemporaryFile(max_size=WAIT_IN_MEMORY) as waiting:
        for probabilities in slices:
            waiting.write(probabilities.tobytes())
            labels.append(probabilities.argmax(0).astype(np.int16))
        waiting.seek(0)
        found = np.stack(labels)
        likely = keep_likely(found, [g for g in groups if g in places], places, grid)
        for gone in (found > 0) & (likely == 0):
            there = np.frombuffer(waiting.read(probabilities.nbytes), probabilities.dtype)
            kept = there.reshape(probabilities.shape).copy()
            kept[:, gone] = 0
            kept[0, gone] = 1
            yield kept


def places_to_json(places: Places) -> list[dict[str, Any]]:
    """Plain values, for a model card."""
    return [{"group": list(group), **place.to_json()} for group, place in places.items()]


def places_from_json(items: Iterable[Mapping[str, Any]]) -> dict[Group, UsualPosition]:
    """The other way round."""
    return {
        tuple(item["group"]): UsualPosition(_three(item["center"]), _three(item["spread"])) for item in items
    }


def _position(index: Sequence[float], grid: Geometry) -> tuple[float, float, float]:
    """Slice position, row and column of an index (k, row, column)."""
    slices, rows, columns = grid.shape
    _, row_mm, column_mm = grid.spacing_khw
    k, row, column = map(float, index)
    return k / max(slices - 1, 1), (row - (rows - 1) / 2) * row_mm, (column - (columns - 1) / 2) * column_mm


def _closeness(at: Array, center: Array, width: Array) -> Array:
    closeness: Array = np.exp(-0.5 * (((at - center) / width) ** 2).sum(1))
    return closeness


def _place(center: Array, spread: Array) -> UsualPosition:
    return UsualPosition(_three(center), _three(np.maximum(spread, SMALLEST_SPREAD)))


def _three(values: Iterable[float]) -> tuple[float, float, float]:
    a, b, c = map(float, values)
    return a, b, c
