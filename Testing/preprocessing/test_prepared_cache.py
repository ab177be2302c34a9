"""Prepared cases are made once and reused, and what cannot be used is left out with its reason."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.file_io.files import write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing import prepared_cache
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, prepare_cases
from ContrastiveSegLib.preprocessing.resampling import prepare, restore

GRID = WorkingGrid("axial", 1.2, 0.0, (32, 32))


@pytest.fixture
def no_reading(monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(prepared_cache, "read_image", refuse)
    monkeypatch.setattr(prepared_cache, "read_annotation_mask", refuse)


def test_a_prepared_case_holds_what_prepare_gives(tmp_path, a_case, a_recipe, any_volume):
    (outcome,) = prepare_cases([a_case], tmp_path / "prepared", a_recipe)

    case, expected = outcome.prepared, prepare(any_volume, GRID, Intensities())[0]
    np.testing.assert_array_equal(case.images, expected.array)
    assert case.working.matches(expected.geometry)
    assert case.original.matches(any_volume.geometry)
    assert (case.name, case.patient, case.channels, case.shape) == (
        "case1",
        "patient of case1",
        1,
        expected.geometry.shape,
    )
    assert isinstance(np.asarray(case.images).base, np.memmap)


def test_labels_become_class_indices_in_the_order_of_the_table(tmp_path, a_case, a_recipe):
    (outcome,) = prepare_cases([a_case], tmp_path / "prepared", a_recipe)

    case = outcome.prepared
    assert set(np.unique(case.labels)) == {0, 1, 2}
    assert case.labels.shape == case.images.shape[1:]
    restored = restore(Volume(np.array(case.labels), case.working), case.original).array
    assert restored[5, 8, 9] == 1  # 300, the first of the table
    assert restored[3, 3, 4] == 2  # 5, the second


def test_without_a_table_labels_are_not_needed(tmp_path, a_volume, a_table, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table, labeled=False)

    (outcome,) = prepare_cases([case], tmp_path / "prepared", Recipe(GRID, Intensities()))

    assert outcome.reason == ""
    assert outcome.prepared.labels is None


def test_an_outcome_tells_modality_and_checksum(tmp_path, a_case, a_recipe):
    (outcome,) = prepare_cases([a_case], tmp_path / "prepared", a_recipe)

    assert outcome.modality == "other"
    assert outcome.checksum == hashlib.sha256(a_case.images[0].read_bytes()).hexdigest()


def test_the_second_time_no_file_is_read(tmp_path, a_case, a_recipe, request):
    (first,) = prepare_cases([a_case], tmp_path / "prepared", a_recipe)
    request.getfixturevalue("no_reading")

    (second,) = prepare_cases([a_case], tmp_path / "prepared", a_recipe)

    np.testing.assert_array_equal(second.prepared.images, first.prepared.images)
    np.testing.assert_array_equal(second.prepared.labels, first.prepared.labels)
    assert second.prepared.working == first.prepared.working
    assert second.prepared.original == first.prepared.original
    assert (second.modality, second.checksum, second.notes) == (first.modality, first.checksum, first.notes)


def test_what_was_remarkable_is_told_again_the_second_time(
    tmp_path, a_volume, a_table, monkeypatch, write_case
):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    read = prepared_cache.read_image
    noticed = lambda *args, **named: dataclasses.replace(read(*args, **named), notes=("odd header",))  # noqa: E731
    monkeypatch.setattr(prepared_cache, "read_image", noticed)
    recipe = Recipe(GRID, Intensities())

    first, second = (prepare_cases([case], tmp_path / "prepared", recipe)[0] for _ in range(2))

    assert first.notes == second.notes == ("odd header",)


def arrays(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


def test_a_case_without_labels_is_left_out_with_the_reason(tmp_path, a_volume, a_table, a_recipe, write_case):
    cases = [
        write_case(tmp_path, "case1", a_volume, a_table, labeled=False),
        write_case(tmp_path, "case2", a_volume, a_table),
    ]

    left_out, used = prepare_cases(cases, tmp_path / "prepared", a_recipe)

    assert left_out.prepared is None
    assert left_out.reason == "The case case1 has no labels. Add its label file, or leave the case out."
    assert used.prepared is not None


def test_bad_files_are_left_out_one_by_one_and_told_in_order(
    tmp_path, a_volume, a_table, a_recipe, write_case
):
    cases = [write_case(tmp_path, f"case{n}", a_volume, a_table) for n in range(4)]
    cases[1].images[0].write_bytes(b"")
    cases[2].labels.unlink()
    told = []

    outcomes = prepare_cases(cases, tmp_path / "prepared", a_recipe, on_case=told.append)

    assert told == outcomes
    assert [outcome.case.name for outcome in outcomes] == ["case0", "case1", "case2", "case3"]
    assert [outcome.prepared is None for outcome in outcomes] == [False, True, True, False]
    assert "case1.nrrd" in outcomes[1].reason
    assert "case2-label.seg.nrrd cannot be read: No such file" in outcomes[2].reason


def test_labels_on_a_grid_elsewhere_are_left_out_with_both_grids(
    tmp_path, a_volume, a_table, a_recipe, write_case
):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    elsewhere = dataclasses.replace(a_volume.geometry, origin=(5000.0, 0.0, 0.0))
    values = np.ones(elsewhere.shape, np.int16) * 5
    write_labels(case.labels, Volume(values, elsewhere), a_table, overwrite=True)

    (outcome,) = prepare_cases([case], tmp_path / "prepared", a_recipe)

    assert outcome.prepared is None
    assert "case1" in outcome.reason
    assert "(5000.0, 0.0, 0.0)" in outcome.reason


def test_cases_of_one_name_in_two_folders_stay_apart(tmp_path, a_volume, a_table, write_case):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    one = write_case(tmp_path / "a", "case", a_volume, a_table)
    other = write_case(tmp_path / "b", "case", Volume(1 - a_volume.array, a_volume.geometry), a_table)

    first, second = prepare_cases([one, other], tmp_path / "prepared", Recipe(GRID, Intensities()))

    assert not np.array_equal(first.prepared.images, second.prepared.images)
    assert len(arrays(tmp_path / "prepared")) == 2


def test_odd_names_become_plain_file_names(tmp_path, a_volume, a_table, write_case):
    case = dataclasses.replace(
        write_case(tmp_path, "case", a_volume, a_table), name="Müller/1 <x>:" + "y" * 300
    )

    (outcome,) = prepare_cases([case], tmp_path / "prepared", Recipe(GRID, Intensities()))

    (array,) = arrays(tmp_path / "prepared")
    assert outcome.prepared.name == case.name
    assert array.name.startswith("M_ller_1_x_")
    assert len(array.name) < 100


def test_channels_in_the_last_axis_of_a_file_become_channels(tmp_path, a_volume):
    import SimpleITK as sitk

    frames = sitk.JoinSeries([Volume(a_volume.array * n, a_volume.geometry).to_sitk() for n in (1, 2)])
    sitk.WriteImage(frames, str(tmp_path / "four.nii.gz"))
    case = Case("four", (tmp_path / "four.nii.gz",), last_axis_is_channels=True)

    (outcome,) = prepare_cases([case], tmp_path / "prepared", Recipe(GRID, Intensities()))

    assert outcome.prepared.channels == 2


def test_a_folder_that_cannot_be_written_ends_the_job(tmp_path, a_volume, a_table, a_recipe, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    (tmp_path / "prepared").write_text("in the way")

    with pytest.raises(CannotWrite, match=r"prepared cannot be written: a file of that name is in the way"):
        prepare_cases([case], tmp_path / "prepared", a_recipe)
