"""One table for all label files of a folder: names meet, values keep apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.label_values import class_indices
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, collect_table, prepare_cases

GRID = WorkingGrid("axial", 1.2, 0.0, (32, 32))


def test_the_table_of_a_folder_names_the_structures_of_all_its_files(tmp_path, a_volume):
    tables = [
        LabelTable((Structure(1, "liver", (1.0, 0.0, 0.0)),)),
        LabelTable((Structure(1, "spleen", (1.0, 0.0, 0.0)), Structure(2, "Liver", (0.0, 1.0, 0.0)))),
    ]
    cases = []
    for n, table in enumerate(tables):
        values = np.random.default_rng(0).choice([0, *table.values], a_volume.geometry.shape).astype(np.int16)
        write_labels(tmp_path / f"{n}.seg.nrrd", Volume(values, a_volume.geometry), table)
        cases.append(Case(f"case{n}", (), tmp_path / f"{n}.seg.nrrd"))
    (tmp_path / "broken.seg.nrrd").write_bytes(b"")
    cases.append(Case("broken", (), tmp_path / "broken.seg.nrrd"))

    table = collect_table(cases)

    assert [(s.value, s.name) for s in table.structures] == [(1, "liver"), (2, "spleen")]


def test_files_of_one_structure_each_are_named_without_being_read(tmp_path):
    for name in ("liver", "spleen", "Background"):
        (tmp_path / f"{name}.nii.gz").write_bytes(b"")

    assert collect_table([Case("one", (), tmp_path)]).names == ("liver", "spleen")


def test_the_table_that_came_with_a_folder_is_taken_as_it_is(a_table):
    assert collect_table([], a_table) is a_table


def test_class_indices_follow_the_order_of_the_table(a_table):
    values = np.array([[0, 5], [300, 5]])

    assert class_indices(values, a_table).tolist() == [[0, 2], [1, 2]]


def test_values_of_merged_tables_reach_their_own_structure(tmp_path, a_volume, write_case):
    """Value 1 is the liver in one file and the spleen in another."""
    tables = [LabelTable((Structure(1, name, (1.0, 0.0, 0.0)),)) for name in ("liver", "spleen")]
    cases = []
    for n, table in enumerate(tables):
        case = write_case(tmp_path, f"case{n}", a_volume, table, labeled=False)
        values = np.zeros(a_volume.geometry.shape, np.int16)
        values[3:6, 3:9, 3:9] = 1
        write_labels(tmp_path / f"{n}.seg.nrrd", Volume(values, a_volume.geometry), table)
        cases.append(dataclasses.replace(case, labels=tmp_path / f"{n}.seg.nrrd"))

    liver, spleen = prepare_cases(
        cases, tmp_path / "prepared", Recipe(GRID, Intensities(), collect_table(cases))
    )

    assert set(np.unique(liver.prepared.labels)) == {0, 1}
    assert set(np.unique(spleen.prepared.labels)) == {0, 2}


def test_labels_that_the_table_does_not_know_are_left_out(tmp_path, a_volume, a_table, write_case):
    case = write_case(tmp_path, "case1", a_volume, a_table)
    smaller = Recipe(GRID, Intensities(), LabelTable(a_table.structures[:1]))

    (outcome,) = prepare_cases([case], tmp_path / "prepared", smaller)

    assert outcome.prepared is None
    assert "case1-label.seg.nrrd" in outcome.reason
    with pytest.raises(BadFile):
        read_labels(case.labels, smaller.table)
