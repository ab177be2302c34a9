"""Prepared cases of random gray values, for benchmarks of speed."""

from __future__ import annotations

import numpy as np

from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase

CLASSES = 5


def random_cases(size: int, channels: int, depth: int = 0) -> list[PreparedCase]:
    """Four cases with random gray values and blocks for structures, somewhat larger than a patch."""
    side, slices = int(1.2 * size), max(40, depth)
    random = np.random.default_rng(0)
    geometry = Geometry((side, side, slices))
    labels = np.kron(
        random.integers(0, CLASSES, (slices, 4, 4)), np.ones((1, side // 4 + 1, side // 4 + 1), np.int16)
    )
    labels = labels[:, :side, :side].astype(np.int16)
    squares = np.arange(100, dtype=np.uint16).reshape(10, 10) + 1
    regions = np.kron(squares, np.ones((side // 10 + 1,) * 2, np.uint16))[None, :side, :side]
    regions = np.ascontiguousarray(np.broadcast_to(regions, labels.shape))
    return [
        PreparedCase(
            f"case{n}",
            f"case{n}",
            random.random((channels, *geometry.shape), np.float32).astype(np.float16),
            labels,
            geometry,
            geometry,
            regions,
        )
        for n in range(4)
    ]
