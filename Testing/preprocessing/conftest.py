"""What the tests of preparing share: cases on disk, and how they are prepared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe

GRID = WorkingGrid("axial", 1.2, 0.0, (32, 32))


@pytest.fixture
def a_table() -> LabelTable:
    """Values far apart, and not in their order."""
    return LabelTable((Structure(300, "tumor", (1.0, 0.0, 0.0)), Structure(5, "liver", (0.0, 1.0, 0.0))))


@pytest.fixture
def a_recipe(a_table) -> Recipe:
    return Recipe(GRID, Intensities(), a_table)


@pytest.fixture
def a_case(tmp_path, any_volume, a_table, write_case) -> Case:
    """A case on disk, on each of the grids in turn."""
    return write_case(tmp_path, "case1", any_volume, a_table)


@pytest.fixture
def write_case() -> Callable[..., Case]:
    """A maker of cases on disk: `write_case(folder, name, volume, table, labeled=...)`."""
    return _write_case


def _write_case(folder: Path, name: str, volume: Volume, table: LabelTable, *, labeled: bool = True) -> Case:
    image, labels = folder / f"{name}.nrrd", folder / f"{name}-label.seg.nrrd"
    write_image(image, volume)
    if labeled:
        values = np.zeros(volume.geometry.shape, np.int16)
        values[2:6, 2:6, 2:8] = 5
        values[4:7, 6:10, 6:12] = 300
        write_labels(labels, Volume(values, volume.geometry), table)
    return Case(name, (image,), labels if labeled else None, patient=f"patient of {name}")
