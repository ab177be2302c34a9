"""What cannot fit into the memory is refused in words, before it is read."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.errors import TooLarge
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.inference import memory
from ContrastiveSegLib.inference.memory import check_memory, largest, memory_needed

CT = Geometry((512, 512, 400), (0.7, 0.7, 1.25))
SLICES, BLOCKS = WorkingGrid("axial", 0.7, 0.0, (128, 128)), WorkingGrid("axial", 0.7, 1.25, (32, 64, 64))
GB = 10**9


def test_sixty_structures_need_less_than_one_copy_of_their_probabilities():
    one_copy = 61 * 512 * 512 * 400 * 2

    assert one_copy > 12 * GB
    assert 1 * GB < memory_needed(CT, SLICES, channels=1, classes=6) < 3 * GB
    assert memory_needed(CT, SLICES, channels=1, classes=61) < 8 * GB
    assert memory_needed(CT, BLOCKS, channels=1, classes=61) < 8 * GB


def test_more_of_anything_needs_more():
    usual = memory_needed(CT, SLICES, channels=1, classes=6)
    finer = WorkingGrid("axial", 0.2, 0.0, (128, 128))
    longer = Geometry((512, 512, 2000), CT.spacing)

    assert memory_needed(CT, SLICES, channels=4, classes=6) > usual
    assert memory_needed(CT, SLICES, channels=1, classes=200) > usual
    assert memory_needed(CT, finer, channels=1, classes=6) > usual
    assert memory_needed(longer, SLICES, channels=1, classes=6) > 3 * usual


def test_a_case_that_does_not_fit_is_named_with_what_it_needs(monkeypatch):
    monkeypatch.setattr(memory, "memory_available", lambda: 4 * GB)

    check_memory("small", CT, 4 * GB)
    with pytest.raises(
        TooLarge,
        match=r"whole body has 512 x 512 x 400 voxels: .* needs about 5\.2 GB of "
        r"memory, and 4\.0 GB are available\. Close other programs, or crop the image",
    ):
        check_memory("whole body", CT, int(5.2 * GB))


def test_the_largest_case_is_named_before_the_first_one(monkeypatch):
    monkeypatch.setattr(memory, "memory_available", lambda: 4 * GB)

    said = largest(["a", "b", "c"], [GB, 3 * GB, 2 * GB])

    assert said == "The largest case, b, needs about 3.0 GB of memory; 4.0 GB are available."
