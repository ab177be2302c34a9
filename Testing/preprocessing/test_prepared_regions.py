"""Superpixels are made beside the prepared images once, for those who ask."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np

from ContrastiveSegLib.file_io.files import write_image
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing import prepared_cache
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, prepare_cases
from ContrastiveSegLib.preprocessing.superpixels import regions_of, regions_of_slices

GRID = WorkingGrid("axial", 1.2, 0.0, (32, 32))


def arrays(folder: Path) -> list[Path]:
    """The prepared arrays."""
    return sorted(folder.glob("*.npy"))


WITH_REGIONS = Recipe(WorkingGrid("axial", 1.2, 0.0, (16, 16)), Intensities(), regions=True)


def test_regions_are_the_superpixels_of_the_prepared_slices(tmp_path, a_case):
    (outcome,) = prepare_cases([a_case], tmp_path / "prepared", WITH_REGIONS)

    case = outcome.prepared
    segments = round(100 * np.prod(case.shape[1:]) / 16**2)  # a hundred in each patch
    np.testing.assert_array_equal(case.region_map, regions_of_slices(case.images, segments))
    assert case.region_map.min() == 1
    assert isinstance(np.asarray(case.regions).base, np.memmap)


def test_regions_of_blocks_are_supervoxels_on_their_own_spacing(tmp_path, a_volume, a_table, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    recipe = Recipe(WorkingGrid("axial", 1.2, 2.5, (4, 16, 16)), Intensities(), regions=True)

    (outcome,) = prepare_cases([case], tmp_path / "prepared", recipe)

    found = outcome.prepared
    segments = round(100 * np.prod(found.shape) / (4 * 16 * 16))
    expected = regions_of(found.images, segments, spacing=(2.5, 1.2, 1.2))
    np.testing.assert_allclose(found.working.spacing_khw, (2.5, 1.2, 1.2))
    np.testing.assert_array_equal(found.regions, expected)


def test_regions_are_found_once_and_read_again(tmp_path, a_volume, a_table, monkeypatch, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (first,) = prepare_cases([case], tmp_path / "prepared", WITH_REGIONS)

    def refuse(*_: object) -> None:
        raise AssertionError("regions were computed again")

    monkeypatch.setattr(prepared_cache, "regions_of_slices", refuse)
    (second,) = prepare_cases([case], tmp_path / "prepared", WITH_REGIONS)

    np.testing.assert_array_equal(second.prepared.regions, first.prepared.regions)


def test_regions_of_a_changed_image_are_computed_anew(tmp_path, a_volume, a_table, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (before,) = prepare_cases([case], tmp_path / "prepared", WITH_REGIONS)

    noise = np.random.default_rng(0).random(a_volume.array.shape, np.float32)
    write_image(case.images[0], Volume(noise, a_volume.geometry), overwrite=True)
    later = case.images[0].stat().st_mtime_ns + 1_000_000
    os.utime(case.images[0], ns=(later, later))
    (after,) = prepare_cases([case], tmp_path / "prepared", WITH_REGIONS)

    segments = round(100 * np.prod(after.prepared.shape[1:]) / 16**2)
    assert not np.array_equal(after.prepared.regions, before.prepared.regions)
    np.testing.assert_array_equal(after.prepared.regions, regions_of_slices(after.prepared.images, segments))


def test_regions_of_another_patch_are_computed_anew(tmp_path, a_volume, a_table, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    grid = dataclasses.replace(WITH_REGIONS.grid, patch=(32, 32))

    fine, coarse = (
        prepare_cases([case], tmp_path / "prepared", recipe)[0].prepared
        for recipe in (WITH_REGIONS, dataclasses.replace(WITH_REGIONS, grid=grid))
    )

    np.testing.assert_array_equal(fine.images, coarse.images)
    assert fine.regions.max() > 2 * coarse.regions.max()


def test_regions_half_written_are_computed_anew(tmp_path, a_volume, a_table, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    before = np.array(prepare_cases([case], tmp_path / "prepared", WITH_REGIONS)[0].prepared.regions)

    (array,) = (file for file in arrays(tmp_path / "prepared") if np.load(file).dtype == np.uint16)
    array.with_suffix(".json").unlink()
    array.write_bytes(b"half")
    (after,) = prepare_cases([case], tmp_path / "prepared", WITH_REGIONS)

    np.testing.assert_array_equal(after.prepared.regions, before)


def test_nobody_who_did_not_ask_waits_for_regions(tmp_path, a_volume, a_table, a_recipe, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)

    (outcome,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    assert outcome.prepared.regions is None
    assert len(arrays(tmp_path / "prepared")) == 2  # image and labels
