"""Colors of structures: the usual one if it can be told from the others, else the one farthest from them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Color = tuple[float, float, float]
Array = npt.NDArray[np.float64]

# A distance in CIELAB. 2.3 is just seen side by side; half transparent over a gray image much more is needed.
ENOUGH = 28.0
FIRST: Color = (0.9, 0.3, 0.2)

# What 3D Slicer's terminology (General Anatomy list) recommends, in sRGB from 0 to 255.
USUAL = {
    "adrenal gland": (249, 186, 150), "aorta": (224, 97, 76), "artery": (216, 101, 79),
    "bladder": (222, 154, 132), "bone": (241, 214, 145), "brain": (250, 250, 225),
    "cartilage": (111, 184, 210), "colon": (204, 168, 143), "cyst": (205, 205, 100),
    "duodenum": (255, 253, 229), "edema": (140, 224, 228), "esophagus": (211, 171, 143),
    "fat": (230, 220, 70), "gallbladder": (139, 150, 98), "heart": (206, 110, 84),
    "hemorrhage": (188, 65, 28), "kidney": (185, 102, 83), "left ventricle": (152, 55, 13),
    "lesion": (144, 238, 144), "liver": (221, 130, 101), "lung": (197, 165, 145),
    "lymph node": (68, 172, 100), "mass": (144, 238, 144), "muscle": (192, 104, 88),
    "necrosis": (216, 191, 216), "nerve": (244, 214, 49), "pancreas": (249, 180, 111),
    "prostate": (230, 158, 140), "right ventricle": (181, 85, 57), "skin": (177, 122, 101),
    "spinal cord": (244, 214, 49), "spleen": (157, 108, 162), "stomach": (216, 132, 105),
    "thyroid": (62, 162, 114), "trachea": (182, 228, 255), "tumor": (144, 238, 144),
    "uterus": (255, 181, 158), "vein": (0, 151, 206), "vena cava": (0, 151, 206),
}  # fmt: skip

# How linear red, green and blue are seen by most people, without red cones, and without green cones.
# Source: Machado, Oliveira, Fernandes 2009, doi 10.1109/TVCG.2009.113, severity 1.
VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ]
)
# Less for all cones: else colors for many people would differ in lightness alone, as those for few must.
_COUNTS = np.array([[0.6], [1.0], [1.0]])
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)


def colors_for(structures: Iterable[tuple[str, str]], taken: Sequence[Color] = ()) -> list[Color]:
    """One color for each structure, given by its name and its terminology or "".

    Args:
        taken: Colors that stay, such as those of a file.
    """
    found, nearest = list(taken), _nearest(taken)
    for name, terminology in structures:
        usual = usual_color(name, terminology)
        fits = usual is not None and (not found or distances(usual, found).min() >= ENOUGH)
        found.append(usual if usual is not None and fits else _farthest(found, nearest))
        nearest = np.minimum(nearest, _nearest(found[-1:]))  # not anew: a hundred structures would take long
    return found[len(taken) :]


def distinct_color(value: int) -> Color:
    """The color of a structure of which only the label value is known; a value always has the same."""
    return _sequence()[(value - 1) % len(_sequence())]


def usual_color(name: str, terminology: str = "") -> Color | None:
    """What Slicer's terminology recommends for a structure; None where it is not known."""
    kind = terminology.split("~")[2].rpartition("^")[2] if terminology.count("~") > 1 else ""
    words = f" {' '.join(re.findall(r'[a-z]+', f'{name} {kind}'.casefold()))} "
    terms = [term for term in USUAL if re.search(rf" {term}(s|es)? ", words)]
    if not terms:
        return None
    red, green, blue = USUAL[max(terms, key=len)]
    return round(red / 255, 3), round(green / 255, 3), round(blue / 255, 3)


def farthest_color(taken: Sequence[Color]) -> Color:
    """The color whose nearest neighbor among those taken is farthest away."""
    return _farthest(taken, _nearest(taken))


def _farthest(taken: Sequence[Color], nearest: Array) -> Color:
    return _plain(_candidates()[0][int(np.argmax(nearest))]) if taken else FIRST


def _nearest(taken: Sequence[Color]) -> Array:
    """How far each candidate is from the nearest color that is taken."""
    _, seen = _candidates()
    apart = [_apart(seen, _seen(np.array([color]))) for color in taken]
    nearest: Array = np.min([np.full(seen.shape[1], np.inf), *apart], axis=0)
    return nearest


def distances(color: Color, others: Sequence[Color]) -> Array:
    """Distances (N,) in CIELAB to other colors, each for the kind of vision that tells them apart least."""
    return _apart(_seen(np.array(others, float)), _seen(np.array([color], float)))


def lab(linear: Array) -> Array:
    """CIELAB (..., 3) of linear sRGB from 0 to 1, under daylight (D65)."""
    xyz = linear @ _TO_XYZ.T / _WHITE
    curved = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(curved, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def linear(colors: Array) -> Array:
    """sRGB as displays take it, as amounts of light."""
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def _seen(colors: Array) -> Array:
    """Colors (N, 3) in CIELAB by each kind of vision (V, N, 3)."""
    return lab(np.clip(linear(colors) @ np.swapaxes(VISIONS, 1, 2), 0, 1))


def _apart(some: Array, one: Array) -> Array:
    smallest: Array = (np.linalg.norm(some - one, axis=-1) * _COUNTS).min(axis=0)
    return smallest


@functools.cache
def _candidates() -> tuple[Array, Array]:
    """Colors that are neither gray nor too dark or pale to be seen over a gray image."""
    steps = np.linspace(0, 1, 11)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness, a, b = np.moveaxis(lab(linear(grid)), -1, 0)
    grid = grid[(lightness >= 40) & (lightness <= 88) & (np.hypot(a, b) >= 30)]
    return grid, _seen(grid)


@functools.cache
def _sequence() -> tuple[Color, ...]:
    """Each the farthest from all before it; after 64 nothing new can be told apart."""
    candidates, seen = _candidates()
    found, nearest = [FIRST], _apart(seen, _seen(np.array([FIRST])))
    for _ in range(63):
        index = int(np.argmax(nearest))
        found.append(_plain(candidates[index]))
        nearest = np.minimum(nearest, _apart(seen, seen[:, index : index + 1]))
    return tuple(found)


def _plain(color: Array) -> Color:
    red, green, blue = (round(float(part), 3) for part in color)
    return red, green, blue
