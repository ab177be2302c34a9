"""Image a phantom as a scanner would: brightness of tissues, texture, blur, uneven sensitivity, noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from ContrastiveSegLib.phantoms.anatomy import Array, Part, waves

# Darkest to brightest; a case draws its own steps between neighbors but never another order.
BRIGHTNESS = {
    "air": 0.0,
    "lung": 0.10,
    "fat": 0.30,
    "fluid": 0.38,
    "bowel": 0.47,
    "muscle": 0.50,
    "pancreas": 0.54,
    "heart": 0.59,
    "spleen": 0.62,
    "liver": 0.65,
    "kidney": 0.70,
    "blood": 0.77,
    "bone": 0.92,
}
BRIGHTEST = max(BRIGHTNESS.values())

# Tissues share a voxel within half of this distance to a surface.
EDGE_MM = 2.5

# Air and lung have little to show, and no texture.
DARK = 0.2


def scan(body: Sequence[Part], points: Array, draw: np.random.Generator, *, inverted: bool = False) -> Array:
    """Image a body (K, H, W): whole numbers from 0 to about 2000, on another scale in each case.

    Args:
        body: Its parts, in the order of painting.
        points: Position of each voxel (3, K, H, W) in mm.
        inverted: Whether bright tissues come out dark, as in a second kind of scan of the same person.
    """
    # What differs from case to case is drawn before what differs from voxel to voxel: one seed on two grids
    # gives the same case.
    brightness = _brightness(draw, inverted)
    grains = draw.uniform(0, 0.02, (len(body), 3))
    unevenness, contrast, noise = draw.uniform(0.08, 0.2), draw.uniform(0.8, 1.25), draw.uniform(0.025, 0.05)
    gain = draw.uniform(300, 1500)
    sensitivity = np.exp(np.float32(unevenness) * waves(points, wavelength=220, draw=draw))
    textures = [
        waves(points, wavelength=9, draw=draw),
        _mottle(points, 0.9, draw),
        _mottle(points, 2.2, draw),
    ]
    gray: Array = np.zeros(points.shape[1:], np.float32)
    for part, grain in zip(body, grains.astype(np.float32), strict=True):
        own = brightness[part.tissue]
        painted = own + _mixed(textures, grain) if own > DARK else own
        share = np.clip(0.5 + part.depth / np.float32(EDGE_MM), 0, 1)
        gray += share * (painted - gray)
    gray = gaussian_filter(gray, (0.3, 0.5, 0.5))
    gray = np.maximum(gray, 0) ** np.float32(contrast) * sensitivity
    measured: Array = np.rint(np.float32(gain) * _rician(gray, np.float32(noise), draw))
    return measured


def _brightness(draw: np.random.Generator, inverted: bool) -> dict[str, np.float32]:
    usual = np.array(list(BRIGHTNESS.values()))
    levels = np.concatenate([[0], np.cumsum(np.diff(usual) * draw.uniform(0.4, 1.6, len(usual) - 1))])
    levels *= BRIGHTEST / levels[-1]
    if inverted:
        levels = np.where(levels > DARK, 1 - levels, levels)
    return dict(zip(BRIGHTNESS, levels.astype(np.float32), strict=True))


def _mottle(points: Array, width: float, draw: np.random.Generator) -> Array:
    """Filtered noise (K, H, W) with variance 1 and grains of about this width in voxels."""
    noise = draw.standard_normal(points.shape[1:], np.float32)
    grains: Array = gaussian_filter(noise, (width / 3, width, width))
    grains /= max(grains.std(), np.float32(1e-6))  # a single voxel has no variance to divide by
    return grains


def _mixed(textures: Sequence[Array], amounts: npt.NDArray[Any]) -> Array:
    mixed: Array = sum(texture * amount for texture, amount in zip(textures, amounts, strict=True))
    return mixed


def _rician(gray: Array, noise: np.float32, draw: np.random.Generator) -> Array:
    """The magnitude of a complex signal with noise in both parts, as in MR images."""
    real, imaginary = draw.standard_normal((2, *gray.shape), np.float32)
    magnitude: Array = np.hypot(gray + noise * real, noise * imaginary)
    return magnitude
