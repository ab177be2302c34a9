"""The organs of a phantom: smooth shapes in a trunk of about 145 x 100 x 96 mm, others for each person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.imaging.colors import colors_for
from ContrastiveSegLib.imaging.labels import LabelTable, Structure

Array = npt.NDArray[np.float32]

LIVER, WALL, CAVITY, KIDNEYS, PANCREAS = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Part:
    """One shape, painted over those before it.

    Args:
        tissue: What it is made of.
        depth: Distance in mm to the surface (K, H, W), roughly; positive inside.
        value: Label value, 0 for what nobody labels.
    """

    tissue: str
    depth: Array
    value: int = 0


def phantom_table() -> LabelTable:
    """The label table of every phantom."""
    names = {
        LIVER: "liver",
        WALL: "heart wall",
        CAVITY: "heart cavity",
        KIDNEYS: "kidneys",
        PANCREAS: "pancreas",
    }
    colors = colors_for([(name, "") for name in names.values()])
    return LabelTable(tuple(Structure(*s, color) for s, color in zip(names.items(), colors, strict=True)))


def parts(points: Array, draw: np.random.Generator) -> Iterator[Part]:
    """Yield a person's parts from the skin inwards, in the order of painting.

    Args:
        points: Position of each voxel (3, K, H, W) in mm, LPS, zero in the middle of the trunk.
        draw: Source of everything in which this person differs from others.
    """
    body = _grown(points, draw)
    yield from _wall(body, draw)
    room = _skin(body) - 5
    for region in (_back, _lungs, _gut, _upper_abdomen, _kidneys, _pancreas, _heart):
        for part in region(body, draw):
            yield replace(part, depth=np.minimum(part.depth, room))  # no organ leaves the body


def waves(points: Array, *, wavelength: float, draw: np.random.Generator, count: int = 8) -> Array:
    """A smooth random field (K, H, W) with mean 0 and variance 1.

    A sum of waves rather than filtered noise: it depends on the position in mm only, so that a person looks
    the same on every grid.
    """
    directions = draw.normal(size=(count, 3))
    directions *= 2 * np.pi / wavelength / np.linalg.norm(directions, axis=1, keepdims=True)
    directions *= draw.uniform(0.7, 1.3, (count, 1))
    field = np.zeros(points.shape[1:], np.float32)
    for (a, b, c), phase in zip(
        directions.astype(np.float32), draw.uniform(0, 2 * np.pi, count), strict=True
    ):
        field += np.sin(a * points[0] + b * points[1] + c * points[2] + np.float32(phase))
    return field * np.float32(np.sqrt(2 / count))


def _grown(points: Array, draw: np.random.Generator) -> Array:
    """Undo a person's size, posture and irregular growth: positions (3, K, H, W) in the average body."""
    size = draw.uniform(1.02, 1.16, 3)
    x, y, z = np.radians(draw.normal(0, 4, 3))
    turn, _ = np.linalg.qr(np.array([[1, -z, y], [z, 1, -x], [-y, x, 1]]))
    turn = turn * np.sign(np.diag(turn)) / size
    shift = draw.normal(0, 2.0, 3)
    average = np.einsum("ab,bkhw->akhw", turn.astype(np.float32), points)
    average -= shift.astype(np.float32)[:, None, None, None]
    bends = [waves(average, wavelength=95, draw=draw) for _ in range(3)]
    bumps = [waves(average, wavelength=30, draw=draw) for _ in range(3)]
    grown: Array = average + 3.2 * np.stack(bends) + 1.2 * np.stack(bumps)
    return grown


def _ellipsoid(
    body: Array,
    center: npt.ArrayLike,
    radii: npt.ArrayLike,
    draw: np.random.Generator,
    *,
    turn_deg: float = 0,
) -> Array:
    """Depth (K, H, W) in an ellipsoid whose place, size and turn about the body axis vary among people."""
    middle = np.asarray(center) + draw.normal(0, 1.5, 3)
    radius = np.asarray(radii) * draw.uniform(0.88, 1.12, 3)
    angle = np.radians(turn_deg + draw.normal(0, 8))
    x, y, z = (axis - np.float32(offset) for axis, offset in zip(body, middle, strict=True))
    along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    across = np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x
    r = radius.astype(np.float32)
    norm = np.sqrt((along / r[0]) ** 2 + (across / r[1]) ** 2 + (z / r[2]) ** 2)
    depth: Array = (1 - norm) * np.float32(radius.prod() ** (1 / 3))
    return depth


def _skin(body: Array) -> Array:
    """Depth (K, H, W) below the skin."""
    x, y, _ = body
    depth: Array = (1 - np.hypot(x / 69, y / 47)) * 56
    return depth


def _wall(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    """Skin, fat and muscle with ribs around the upper half."""
    _, y, z = body
    skin, fat_mm, muscle_mm = _skin(body), np.float32(draw.uniform(3, 8)), np.float32(draw.uniform(4, 7))
    yield Part("fat", skin)
    yield Part("muscle", skin - fat_mm)
    ribs = np.sin(2 * np.pi * (z - 0.5 * y + np.float32(draw.uniform(0, 18))) / 18) - 0.5
    middle = 2.5 - np.abs(skin - fat_mm - muscle_mm / 2)
    yield Part("bone", np.minimum(np.minimum(5 * ribs, middle), z + 5))
    yield Part("fat", skin - fat_mm - muscle_mm)


def _back(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    """Spine with discs between two muscles, and the two great vessels in front of it."""
    z = body[2]
    for side in (-1, 1):
        yield Part("muscle", _ellipsoid(body, (side * 18, 31, -10), (11, 8, 70), draw))
    discs = np.sin(2 * np.pi * (z + np.float32(draw.uniform(0, 20))) / 20)
    spine = _ellipsoid(body, (0, 29, 0), (12, 10, 400), draw)
    yield Part("bone", spine)
    yield Part("bowel", np.minimum(spine, (discs - 0.8) * 8))
    yield Part("blood", _ellipsoid(body, (6, 15, 0), (5.5, 5.5, 400), draw))
    yield Part("blood", _ellipsoid(body, (-9, 14, -20), (6.5, 5, 60), draw))


def _lungs(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    for side in (-1, 1):
        yield Part("lung", _ellipsoid(body, (side * 30, 2, 44), (24, 32, 40), draw, turn_deg=side * -10))


def _gut(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    """Loops with a wall around fluid, gas or contrast agent: rings and blobs that nobody labels."""
    for _ in range(int(draw.integers(6, 10))):
        center = (draw.uniform(-42, 42), draw.uniform(-28, 4), draw.uniform(-48, -14))
        loop = _ellipsoid(body, center, draw.uniform(7, 15, 3), draw, turn_deg=draw.uniform(0, 180))
        yield Part(str(draw.choice(["bowel", "pancreas", "liver"])), loop)
        content = str(draw.choice(["air", "fluid", "muscle", "blood"], p=[0.2, 0.35, 0.25, 0.2]))
        yield Part(content, loop - np.float32(draw.uniform(2, 5)))


def _upper_abdomen(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    """Stomach and spleen, which nobody labels, and the liver with its vessels and gallbladder."""
    stomach = _ellipsoid(body, (26, -18, -4), (20, 13, 17), draw, turn_deg=30)
    yield Part("heart", stomach)
    yield Part(str(draw.choice(["fluid", "bowel", "blood"])), stomach - np.float32(draw.uniform(3, 5)))
    yield Part("spleen", _ellipsoid(body, (45, 16, 4), (11, 19, 20), draw, turn_deg=-20))
    right = _ellipsoid(body, (-32, 0, 0), (27, 34, 27), draw)
    left = _ellipsoid(body, (-4, -22, 4), (25, 13, 14), draw, turn_deg=-10)
    liver = np.maximum(right, left)
    yield Part("liver", liver, LIVER)
    vessels = np.abs(waves(body, wavelength=40, draw=draw)) + np.abs(waves(body, wavelength=34, draw=draw))
    yield Part("blood", np.minimum((0.16 - vessels) * 12, liver - 4), LIVER)
    yield Part("fluid", _ellipsoid(body, (-24, -22, -16), (7, 8, 9), draw))


def _kidneys(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    """Two beans: the hilum, towards the spine, belongs to neither."""
    for side in (-1, 1):
        height = -22 + side * 3
        bean = _ellipsoid(body, (side * 33, 22, height), (12, 14, 21), draw, turn_deg=side * 35)
        hilum = _ellipsoid(body, (side * 23, 16, height), (8, 7, 9), draw, turn_deg=side * 35)
        cortex = np.minimum(bean, -hilum)
        yield Part("kidney", cortex, KIDNEYS)
        yield Part("spleen", cortex - np.float32(draw.uniform(4, 6)), KIDNEYS)


def _pancreas(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    """A thin curved organ: head on the right, neck over the great vessels, tail near the spleen."""
    x, y, z = body
    along = np.clip((x + 20) / 56, 0, 1)  # 0 at the head, 1 at the tail
    bend, climb, sway = draw.uniform(5, 11), draw.uniform(8, 16), draw.normal(0, 1.5, 2)
    middle_y = 3 - np.float32(bend) * np.sin(np.pi * along) + 9 * along + np.float32(sway[0])
    middle_z = -18 + np.float32(climb) * along + np.float32(sway[1])
    radius = np.float32(draw.uniform(0.85, 1.15)) * (8 - 3.5 * along + 1.0 * np.sin(9 * along))
    beyond = x + 20 - 56 * along
    yield Part("pancreas", radius - np.sqrt((y - middle_y) ** 2 + (z - middle_z) ** 2 + beyond**2), PANCREAS)


def _heart(body: Array, draw: np.random.Generator) -> Iterator[Part]:
    """A cup of muscle filled with blood, open towards the atrium, and a second chamber that nobody labels."""
    axis = np.array([0.62, -0.45, -0.64]) + draw.normal(0, 0.06, 3)
    axis /= np.linalg.norm(axis)
    center = np.array([12.0, -8.0, 31.0]) + draw.normal(0, 1.5, 3)
    offset = body - center.astype(np.float32)[:, None, None, None]
    along = np.einsum("a,akhw->khw", axis.astype(np.float32), offset)
    across = np.sqrt(np.maximum((offset**2).sum(axis=0) - along**2, 0))
    long_mm, wide_mm, wall_mm = draw.uniform(28, 34), draw.uniform(19, 23), draw.uniform(5, 8)
    outer = (1 - np.hypot(along / long_mm, across / wide_mm)) * np.float32(wide_mm)
    inner = (1 - np.hypot(along / (long_mm - wall_mm), across / (wide_mm - wall_mm))) * np.float32(
        wide_mm - wall_mm
    )
    base = along + 8  # the valve plane
    yield Part("blood", _ellipsoid(body, center - (17, 7, 3), (15, 15, 16), draw))
    yield Part("blood", _ellipsoid(body, center - 17 * axis, (15, 13, 12), draw))
    yield Part("heart", np.minimum(outer, base), WALL)
    yield Part("blood", np.minimum(inner, base), CAVITY)
