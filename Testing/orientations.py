"""How volumes may lie: an oblique grid, and every way to turn and mirror the axes."""

from __future__ import annotations

import itertools

import numpy as np

OBLIQUE = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
ORIENTATIONS = [
    tuple(float(n) for n in (np.eye(3)[list(order)] * signs).ravel())
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
