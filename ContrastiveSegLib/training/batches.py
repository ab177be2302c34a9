"""Prepared data to tensors on the device: (B, C, H, W) or (B, C, K, H, W), slice positions (B,), labels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ContrastiveSegLib.distributed.division import own_images
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.training.slice_pairs import Flags, Partners

Center = tuple[int, int, int]


@dataclass(frozen=True)
class Batch:
    """What one training step sees; where several processes share it, the part of this one.

    Attributes:
        images: (B, C, *S) float32 on the device, gray values about 0...1.
        slice_positions: (B,) position of the slice, or of the patch's center, in its volume: 0...1; of the
            images of all processes, as everything that is compared between images.
        cases: (B,) index of the case each image comes from; of the images of all processes.
        labels: (B, *S) int64 class indices, IGNORE_LABEL where not annotated, or None without annotations.
        regions: (B, *S) int64 superpixels from 1 on, 0 beyond the border, or None if nobody asked.
        partners: (P, B, C, *S) the slices that come with each image, or None if nobody asked.
        unannotated: (B,) which images come from cases that nobody annotated, or None if none was asked for.
        divided: How many images were divided over the processes: all of the step, or of each half of it;
            0 if these are all.
    """

    images: Tensor
    slice_positions: Tensor
    cases: Tensor
    labels: Tensor | None = None
    regions: Tensor | None = None
    partners: Tensor | None = None
    unannotated: Tensor | None = None
    divided: int = 0

    def region_maps(self) -> Tensor:
        """The superpixels, for those who cannot do without.

        Raises:
            ValueError: The sampler was not asked for them.
        """
        if self.regions is None:
            raise ValueError("this batch was drawn without regions")
        return self.regions

    def companions(self) -> tuple[Tensor, ...]:
        """The partners of the images, one (B, C, *S) each, for those who cannot do without.

        Raises:
            ValueError: The sampler was not asked for them.
        """
        if self.partners is None:
            raise ValueError("this batch was drawn without partners")
        return tuple(self.partners)

    def on(self, device: torch.device) -> Batch:
        """The same batch on the device; the copy from pinned memory does not wait."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """The same batch where a GPU can fetch it by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        changed: dict[str, Any] = {n: change(v) for n, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **changed)


class Draws(Protocol):
    """Whatever gives the batch of a step."""

    def draw(self, step: int, size: int) -> Batch:
        """The batch of one step, in host memory; depends only on step and size."""


@dataclass(frozen=True)
class Chosen:
    """Which slices are drawn beside those that every training draws.

    Args:
        unknown: Draw slices without known voxels too, together as often as the known ones: what is background
            in a slice is otherwise hardly taught any more.
        partners: Chooses slices that come with each slice; slices without partners are not drawn.
        flags: Which slices show the organ, for partners that ask.
    """

    unknown: bool = False
    partners: Partners | None = None
    flags: Flags = field(default_factory=dict)


class Sampler:
    """Draws patches from prepared cases; the draw of step n depends only on the seed and n.

    Args:
        cases: Prepared cases; all with labels, or used without.
        patch: (H, W) for slices, (K, H, W) for volumes.
        labeled: Give labels, of slices with known voxels alone, and take half of the patches where a
            structure is.
        margin: Patches are cut larger by this factor in plane, so that rotation finds pixels.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        patch: Sequence[int],
        *,
        labeled: bool,
        seed: int,
        margin: float = 1.0,
        chosen: Chosen = Chosen(),
    ) -> None:
        self.cases, self.labeled, self.seed = tuple(cases), labeled, seed
        self.partners = partners = chosen.partners
        self.regions = all(case.regions is not None for case in cases)
        self.dims, self.patch = len(patch), tuple(patch[-2:])
        in_plane = [int(np.ceil(n * margin)) for n in patch[-2:]]
        self.cut = (*(patch[:-2] or (1,)), *in_plane)
        every = [(c, k) for c, case in enumerate(cases) for k in _slices_of(case, known=labeled)]
        if chosen.unknown:
            others = [(c, k) for c, case in enumerate(cases) for k in _slices_of(case, known=False)]
            others = sorted(set(others) - set(every))
            every = every * max(1, round(len(others) / max(len(every), 1))) + others
        self.slices = np.array(partners.arrange(cases, chosen.flags) if partners else every)
        self.present = _where_structures_are(cases) if labeled else {}

    def __len__(self) -> int:
        """Number of slices: one epoch."""
        return len(self.slices)

    def draw(self, step: int, size: int) -> Batch:
        """The batch of one step, in (pinned, if there is a GPU) host memory.

        Drawn in a thread beside the training, so all work is numpy's: arithmetic of torch would wake a second
        set of threads, which waste the time of the first.
        """
        random = np.random.default_rng((self.seed, step))
        everything = [self._choose(random, i, step * size + i) for i in range(size)]
        own = own_images(size)
        chosen = everything[own]
        batch = Batch(
            torch.from_numpy(self._cut_images(chosen)),
            slice_positions=torch.tensor([self.cases[c].slice_position(at[0]) for c, at in everything]),
            cases=torch.tensor([c for c, _ in everything]),
            labels=self._cut_labels(chosen) if self.labeled else None,
            regions=self._cut([(self.cases[c].region_map, at) for c, at in chosen]) if self.regions else None,
            partners=self._cut_partners(self.partners, everything, random) if self.partners else None,
            divided=size,
        )
        return batch.pinned() if torch.cuda.is_available() else batch

    def _cut_partners(
        self, partners: Partners, chosen: Sequence[tuple[int, Center]], random: np.random.Generator
    ) -> Tensor:
        """(P, B, C, *cut) float32; chosen are the places of the images of all processes."""
        drawn = [partners.draw(random, (c, center[0])) for c, center in chosen]
        each = [[self._elsewhere(random, place) for place in places] for places in zip(*drawn, strict=True)]
        own = own_images(len(chosen))
        return torch.from_numpy(np.stack([self._cut_images(places[own]) for places in each]))

    def _cut_images(self, places: Sequence[tuple[int, Center]]) -> npt.NDArray[np.float32]:
        """(B, C, *cut)."""
        images = np.zeros((len(places), self.cases[0].channels, *self.cut), np.float16)
        for i, (c, center) in enumerate(places):
            copy_patch(self.cases[c].images, images[i], center)
        return (images[:, :, 0] if self.dims == 2 else images).astype(np.float32)

    def _cut_labels(self, places: Sequence[tuple[int, Center]]) -> Tensor:
        """(B, *cut) int64; beyond the image is background, unless only painted voxels are known."""
        cases = [self.cases[c] for c, _ in places]
        beyond = [IGNORE_LABEL if case.annotation == "scribbles" else 0 for case in cases]
        return self._cut([(self.cases[c].label_map, at) for c, at in places], beyond)

    def _cut(self, places: Sequence[tuple[npt.NDArray[Any], Center]], beyond: Sequence[int] = ()) -> Tensor:
        """Labels or regions (B, *cut) int64, with these values beyond the border, by default 0."""
        maps = np.zeros((len(places), *self.cut), np.int64)
        maps += np.reshape(beyond or 0, (-1, 1, 1, 1))
        for i, (source, center) in enumerate(places):
            copy_patch(source, maps[i], center)
        return torch.from_numpy(maps[:, 0] if self.dims == 2 else maps)

    def _elsewhere(self, random: np.random.Generator, place: tuple[int, int]) -> tuple[int, Center]:
        """A patch at a random place of a slice."""
        c, k = place
        row, column = self._anywhere(random, self.cases[c])
        return c, (k, row, column)

    def _anywhere(self, random: np.random.Generator, case: PreparedCase) -> list[int]:
        """A center: with labels anywhere in the slice, without them near its middle.

        Methods that learn from the position of a slice must see what is there: with random corners of cardiac
        slices not one of them left its collapse value (Testing/Benchmarks/RESULTS.md).
        """
        if self.labeled:
            middle = [int(random.integers(n)) for n in case.shape[1:]]
            return _inside(middle, case.shape[1:], self.patch, random)
        jitter = [int(random.integers(-size // 8, size // 8 + 1)) for size in self.patch]
        wanted = [n // 2 + j for n, j in zip(case.shape[1:], jitter, strict=True)]
        return [_within(*sizes) for sizes in zip(wanted, self.patch, case.shape[1:], strict=True)]

    def _choose(self, random: np.random.Generator, i: int, position: int) -> tuple[int, Center]:
        """A case and the center of the patch in it; every second labeled one is centered on a structure."""
        if self.present and i % 2 == 0:
            value = random.choice(list(self.present))
            c, k = self.present[value][random.integers(len(self.present[value]))]
            rows, columns = np.nonzero(self.cases[c].label_map[k] == value)
            n = random.integers(len(rows))
            case = self.cases[c]
            # Without empty slices around it where possible, as prediction will see the volume.
            k = _within(k, self.cut[0], case.shape[0])
            row, column = _inside((rows[n], columns[n]), case.shape[1:], self.patch, random)
            return c, (k, row, column)
        # Without labels each epoch is a fresh permutation, so that every slice is seen once per epoch.
        epoch, offset = divmod(position, len(self.slices))
        c, k = self.slices[_order_of(epoch, self.seed, len(self.slices))[offset]]
        case = self.cases[c]
        k = _within(k, self.cut[0], case.shape[0]) if self.labeled else int(k)
        row, column = self._anywhere(random, case)
        return int(c), (k, row, column)


@functools.lru_cache(maxsize=2)
def _order_of(epoch: int, seed: int, slices: int) -> np.ndarray:
    """The order of the slices in an epoch, kept because every image of the epoch asks for it."""
    return np.random.default_rng((seed, 1, epoch)).permutation(slices)


def copy_patch(source: np.ndarray, target: np.ndarray, center: Sequence[int]) -> None:
    """Copy the box of `target`'s size around `center` out of `source`; outside of it nothing is written.

    Args:
        source: (..., K, H, W).
        target: (..., k, h, w), already filled with the value beyond the border.
        center: Voxel (K, H, W) of `source` that lands in the middle of `target`.
    """
    here: list[Any] = [...]
    there: list[Any] = [...]
    for middle, size, limit in zip(center, target.shape[-3:], source.shape[-3:], strict=True):
        start = middle - size // 2
        first, last = max(start, 0), min(start + size, limit)
        here.append(slice(first, last))
        there.append(slice(first - start, last - start))
    target[tuple(there)] = source[tuple(here)]


def _inside(
    wanted: Sequence[int], shape: Sequence[int], patch: Sequence[int], random: np.random.Generator
) -> list[int]:
    """A random center near `wanted`; the patch shows `wanted`, and stays in the image where it can."""
    jitter = [random.integers(-size // 4, size // 4 + 1) for size in patch]
    centers = np.add(wanted, jitter).tolist()
    return [_within(*sizes) for sizes in zip(centers, patch, shape, strict=True)]


def _within(middle: int, size: int, limit: int) -> int:
    """The center nearest to `middle` whose `size` voxels lie within `limit`; the middle if none does."""
    return limit // 2 if size >= limit else int(np.clip(middle, size // 2, limit - (size - size // 2)))


def _slices_of(case: PreparedCase, *, known: bool) -> Sequence[int]:
    """The slices to draw: all, or those with known voxels; those of a case with more weight several times."""
    slices = range(case.shape[0])
    if known:
        if case.annotation == "none":
            return []
        shown = enumerate(case.classes_of_slices())
        return [k for k, classes in shown if any(c != IGNORE_LABEL for c in classes)] * case.weight
    return [*slices] * case.weight


def _where_structures_are(cases: Sequence[PreparedCase]) -> dict[int, list[tuple[int, int]]]:
    """For each structure the slices (case, k) that show it, those of a heavier case several times."""
    present: dict[int, list[tuple[int, int]]] = {}
    for c, case in enumerate(cases):
        for k, classes in enumerate(case.classes_of_slices() if case.annotation != "none" else ()):
            for value in classes:
                if value > 0:
                    present.setdefault(int(value), []).extend([(c, k)] * case.weight)
    return present
