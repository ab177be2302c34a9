"""What is prepared is made again when its file, its recipe or its arrays are not what they were."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import prepare_cases

GRID = WorkingGrid("axial", 1.2, 0.0, (32, 32))


def test_a_changed_image_is_prepared_anew(tmp_path, a_volume, a_table, a_recipe, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (before,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    write_image(case.images[0], Volume(1 - a_volume.array, a_volume.geometry), overwrite=True)
    later = case.images[0].stat().st_mtime_ns + 1_000_000
    os.utime(case.images[0], ns=(later, later))
    (after,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    np.testing.assert_allclose(after.prepared.images, 1 - before.prepared.images.astype(float), atol=2e-3)
    assert after.checksum != before.checksum


def test_changed_labels_are_prepared_anew(tmp_path, a_volume, a_table, a_recipe, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (before,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    values = np.zeros(a_volume.geometry.shape, np.int16)
    values[1:3] = 5
    write_labels(case.labels, Volume(values, a_volume.geometry), a_table, overwrite=True)
    (after,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    assert (before.prepared.labels == 1).any()
    assert not (after.prepared.labels == 1).any()


@pytest.mark.parametrize(
    "changes",
    [
        {"grid": dataclasses.replace(GRID, spacing=2.0)},
        {"intensities": Intensities("other", (0.0, 0.5))},
    ],
    ids=["grid", "gray values"],
)
def test_another_recipe_is_prepared_anew(tmp_path, a_volume, a_table, a_recipe, changes, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (before,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    (after,) = prepare_cases([case], tmp_path / "prepared", dataclasses.replace(a_recipe, **changes))

    assert not np.array_equal(after.prepared.images, before.prepared.images)


def test_another_order_of_structures_is_prepared_anew(tmp_path, a_volume, a_table, a_recipe, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (before,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    turned = dataclasses.replace(a_recipe, table=LabelTable(a_table.structures[::-1]))
    (after,) = prepare_cases([case], tmp_path / "prepared", turned)

    np.testing.assert_array_equal(after.prepared.labels == 1, before.prepared.labels == 2)


@pytest.mark.parametrize("damage", ["no facts", "cut facts", "cut array", "empty array"])
def test_what_was_only_half_written_is_prepared_anew(
    tmp_path, a_volume, a_table, a_recipe, damage, write_case
):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (before,) = prepare_cases([case], tmp_path / "prepared", a_recipe)
    expected = np.array(before.prepared.images), np.array(before.prepared.labels)
    del before

    for array in (tmp_path / "prepared").glob("*.npy"):
        facts = array.with_suffix(".json")
        if damage == "no facts":
            facts.unlink()
            array.write_bytes(b"half")
        elif damage == "cut facts":
            facts.write_text(facts.read_text()[:20])
        else:
            array.write_bytes(array.read_bytes()[: 300 if damage == "cut array" else 0])
    (after,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    np.testing.assert_array_equal(after.prepared.images, expected[0])
    np.testing.assert_array_equal(after.prepared.labels, expected[1])


def test_the_folder_may_be_deleted_at_any_time(tmp_path, a_volume, a_table, a_recipe, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    prepare_cases([case], tmp_path / "prepared", a_recipe)
    for file in (tmp_path / "prepared").iterdir():
        file.unlink()

    (outcome,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    assert outcome.prepared is not None
    assert not list((tmp_path / "prepared").glob("*.part*"))


@pytest.mark.parametrize("ending", [".npy", ".json"])
def test_prepared_files_that_were_damaged_are_made_again(tmp_path, a_case, a_recipe, ending):
    folder = tmp_path / "prepared"
    (before,) = prepare_cases([a_case], folder, a_recipe)
    # Copies, because the arrays themselves are what lies in the files.
    images, labels = np.array(before.prepared.images), np.array(before.prepared.label_map)
    for path in folder.glob(f"*{ending}"):
        content = bytearray(path.read_bytes())
        content[len(content) * 2 // 3] ^= 4
        path.write_bytes(bytes(content))

    (after,) = prepare_cases([a_case], folder, a_recipe)

    assert after.reason == ""
    assert np.array_equal(after.prepared.images, images)
    assert np.array_equal(after.prepared.label_map, labels)
