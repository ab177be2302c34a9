"""The same patients as if another scanner had seen them: gray values, bias field, blur, resolution, noise.

Far stronger than what augmentation draws in training, and of kinds that it does not know (bias field, coarser
pixels). Every case has changes of its own, drawn from its name and a seed; the grid, and so the labels, stay.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_image, write_image
from ContrastiveSegLib.imaging.volume import Volume

Array = npt.NDArray[np.float32]


def write_changed(data: Path, output: Path, names: Sequence[str], *, seed: int = 2026) -> None:
    """Write the changed images of these cases; those that are there are left as they are."""
    for case in find_cases(data, only=names).cases:
        path = output / f"{case.name}.nii.gz"
        if not path.exists():
            volume = read_image(case.images).volume
            random = np.random.default_rng((seed, zlib.crc32(case.name.encode())))
            changed = changed_acquisition(volume.array[0], volume.geometry.spacing[0], random)
            write_image(path, Volume(changed, volume.geometry))


def changed_acquisition(image: Array, spacing: float, random: np.random.Generator) -> Array:
    """Another acquisition of an image (K, H, W), gray values 0...1000.

    Args:
        spacing: In plane, in mm.
    """
    low, high = np.percentile(image, (0.5, 99.5))
    image = np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
    image = image ** (random.uniform(1.6, 2.4) ** random.choice([-1, 1]))
    image = (0.5 + random.uniform(0.45, 0.7) * (image - 0.5)) * _bias_field(image.shape, random)
    image = ndimage.gaussian_filter(image, (0, *[random.uniform(1.0, 2.0) / spacing] * 2))
    image = _coarser(image, random.uniform(2.2, 3.2) / spacing)
    noise = random.uniform(0.04, 0.08) * random.standard_normal((2, *image.shape))
    return (1000 * np.hypot(image + noise[0], noise[1])).astype(np.float32)  # magnitude of a complex signal


def _bias_field(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """A smooth factor over the volume, the same in neighboring slices, from about 0.5 to 2."""
    knots = random.uniform(-1, 1, (2, 3, 3))
    zoom = [n / k for n, k in zip(shape, knots.shape, strict=True)]
    smooth = ndimage.zoom(knots, zoom, order=1, grid_mode=True, mode="nearest")
    field: Array = np.exp(random.uniform(0.4, 0.7) * smooth)
    return field


def _coarser(image: Array, factor: float) -> Array:
    """As if pixels were larger by a factor, shown on the old grid."""
    rows, columns = (max(round(n / max(factor, 1)), 1) for n in image.shape[1:])
    options = {"order": 1, "mode": "nearest", "grid_mode": True}
    small = ndimage.zoom(image, (1, rows / image.shape[1], columns / image.shape[2]), **options)
    back: Array = ndimage.zoom(small, (1, image.shape[1] / rows, image.shape[2] / columns), **options)
    return back
