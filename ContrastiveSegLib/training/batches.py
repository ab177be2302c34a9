"""Prepared data to tensors on the device: (B, C, H, W) or (B, C, K, H, W), heights (B,), labels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ContrastiveSegLib.volumes.slices import PreparedCase


@dataclass(frozen=True)
class Batch:
    """What one training step sees.

    Attributes:
        images: (B, C, *S) float32 on the device, gray values about 0...1.
        heights: (B,) height of the slice, or of the patch's center, in its volume: 0...1.
        cases: (B,) index of the case each image comes from.
        labels: (B, *S) int64 class indices, or None without annotations.
    """

    images: Tensor
    heights: Tensor
    cases: Tensor
    labels: Tensor | None = None

    def on(self, device: torch.device) -> Batch:
        """The same batch on the device; the copy from pinned memory does not wait."""
        move = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **move)


class Sampler:
    """Draws patches from prepared cases; the draw of step n depends only on the seed and n.

    Args:
        cases: Prepared cases; all with labels, or used without.
        patch: (H, W) for slices, (K, H, W) for volumes.
        labeled: Give labels, and take half of the patches where a structure is.
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
    ) -> None:
        self.cases, self.labeled, self.seed = tuple(cases), labeled, seed
        self.dims, self.patch = len(patch), tuple(patch[-2:])
        in_plane = [int(np.ceil(n * margin)) for n in patch[-2:]]
        self.cut = (*(patch[:-2] or (1,)), *in_plane)
        self.slices = np.array([(c, k) for c, case in enumerate(cases) for k in range(case.shape[0])])
        self.present = _where_structures_are(cases) if labeled else {}

    def __len__(self) -> int:
        """Number of slices: one epoch."""
        return len(self.slices)

    def draw(self, step: int, batch: int) -> Batch:
        """The batch of one step, in (pinned, if there is a GPU) host memory."""
        random = np.random.default_rng((self.seed, step))
        chosen = [self._choose(random, i, step * batch + i) for i in range(batch)]
        images = np.zeros((batch, self.cases[0].channels, *self.cut), np.float16)
        labels = np.zeros((batch, *self.cut), np.int16) if self.labeled else None
        for i, (c, center) in enumerate(chosen):
            case = self.cases[c]
            copy_patch(case.images, images[i], center)
            if labels is not None:
                copy_patch(case.label_map, labels[i], center)
        heights = [self.cases[c].height(center[0]) for c, center in chosen]
        return self._tensors(images, labels, heights, [c for c, _ in chosen])

    def _choose(self, random: np.random.Generator, i: int, position: int) -> tuple[int, tuple[int, int, int]]:
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
        middle = [int(random.integers(n)) for n in case.shape[1:]]
        row, column = _inside(middle, case.shape[1:], self.patch, random)
        return int(c), (k, row, column)

    def _tensors(
        self, images: np.ndarray, labels: np.ndarray | None, heights: list[float], cases: list[int]
    ) -> Batch:
        squeeze = (slice(None), slice(None), 0) if self.dims == 2 else (slice(None),)
        tensors = [torch.from_numpy(images[squeeze]).float(), torch.tensor(heights), torch.tensor(cases)]
        if labels is not None:
            plane = labels[:, 0] if self.dims == 2 else labels
            tensors.append(torch.from_numpy(plane.astype(np.int64)))
        if torch.cuda.is_available():
            tensors = [t.pin_memory() for t in tensors]
        return Batch(*tensors)


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


def _where_structures_are(cases: Sequence[PreparedCase]) -> dict[int, list[tuple[int, int]]]:
    """For each structure the slices (case, k) that show it."""
    present: dict[int, list[tuple[int, int]]] = {}
    for c, case in enumerate(cases):
        for k in range(case.shape[0]):
            for value in np.unique(case.label_map[k]):
                if value > 0:
                    present.setdefault(int(value), []).append((c, k))
    return present
