"""Flags reach the slices they were given for, from a table or from labels, and bad tables are refused."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import Case, CaseList
from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing import slice_labels as module
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, prepare_cases
from ContrastiveSegLib.preprocessing.slice_labels import read_table, slice_labels

EXAMPLE = "Give it the columns case,slice,organ, with slices counted from 0 and organ 1 or 0."
STRUCTURES = LabelTable((Structure(1, "liver", (1.0, 0.0, 0.0)), Structure(2, "spleen", (0.0, 1.0, 0.0))))


def turned(volume: Volume, *, last: float = 1.0, order: tuple[int, int, int] = (0, 1, 2)) -> Volume:
    """The same gray values on a grid whose axes run along other directions and have the spacing of each."""
    columns = np.eye(3)[:, list(order)] * (1.0, 1.0, last)
    spacing = tuple(float(s) for s in np.array((1.0, 1.0, 4.0))[list(order)])
    size = volume.geometry.size
    return Volume(volume.array, Geometry(size, spacing, (3.0, -2.0, 50.0), tuple(columns.ravel().tolist())))


@pytest.fixture
def prepared_case(tmp_path):
    """A maker of cases on disk, prepared on a grid of 2 mm: (case, prepared)."""

    def make(volume, name="case1", slice_spacing=0.0, labels=None):
        image = tmp_path / f"{name}.nrrd"
        write_image(image, volume)
        path = None
        if labels is not None:
            path = tmp_path / f"{name}-label.seg.nrrd"
            write_labels(path, Volume(labels, volume.geometry), STRUCTURES)
        case = Case(name, (image,), path, patient=name)
        recipe = Recipe(WorkingGrid("axial", 2.0, slice_spacing, (16, 16)), Intensities())
        return case, prepare_cases([case], tmp_path / "prepared", recipe)[0].prepared

    return make


def write_table(path, rows, columns="case,slice,organ", encoding="utf-8"):
    path.write_text("\n".join([columns, *rows, ""]), encoding=encoding)
    return path


def flags_of(case, prepared, source):
    return slice_labels([case], [prepared], source)[case.name].tolist()


def test_a_table_flags_the_slices_it_names(tmp_path, a_volume, prepared_case):
    case, prepared = prepared_case(a_volume)
    rows = [f"case1,{k},{int(k in (2, 3, 7))}" for k in (8, 0, 3, 2, 1, 7, 6, 5, 4)]
    table = write_table(tmp_path / "flags.csv", [*rows, "somebody else,0,1"])

    flags = flags_of(case, prepared, table)

    assert flags == [k in (2, 3, 7) for k in range(9)]


def test_a_folder_gives_its_table(tmp_path, a_volume, prepared_case):
    case, prepared = prepared_case(a_volume)
    write_table(tmp_path / "slices.csv", [f"case1,{k},{int(k > 4)}" for k in range(9)])

    assert flags_of(case, prepared, tmp_path) == [k > 4 for k in range(9)]


def test_on_a_reversed_axis_the_flags_follow_the_slices_of_the_file(tmp_path, a_volume, prepared_case):
    """The file counts from the head down, the working grid from the feet up."""
    brighter_downwards = a_volume.array + np.arange(9, dtype=np.float32)[:, None, None] * 10
    case, prepared = prepared_case(turned(Volume(brighter_downwards, a_volume.geometry), last=-1.0))
    assert (np.diff(prepared.images[0].mean((1, 2), dtype=float)) < 0).all()
    table = write_table(tmp_path / "slices.csv", [f"case1,{k},{int(k < 2)}" for k in range(9)])

    assert flags_of(case, prepared, table) == [False] * 7 + [True] * 2


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1)])
def test_slices_are_those_of_the_axis_that_is_cut(tmp_path, a_volume, prepared_case, order):
    """The thick axis is the first or the second of the file; its numbers are the slices."""
    case, prepared = prepared_case(turned(a_volume, order=order))
    slices = a_volume.geometry.size[order.index(2)]
    assert prepared.shape[0] == slices
    table = write_table(tmp_path / "slices.csv", [f"case1,{k},{int(k in (0, 5))}" for k in range(slices)])

    assert flags_of(case, prepared, table) == [k in (0, 5) for k in range(slices)]


def test_resampled_slices_take_the_flag_of_the_nearest_slice_of_the_file(tmp_path, a_volume, prepared_case):
    case, prepared = prepared_case(a_volume, slice_spacing=1.0)  # the file has 9 slices of 2.5 mm
    table = write_table(tmp_path / "slices.csv", [f"case1,{k},{k % 2}" for k in range(9)])

    flags = flags_of(case, prepared, table)

    height = prepared.working.origin[2] + np.arange(prepared.shape[0]) * 1.0
    nearest = np.clip(np.round((height - a_volume.geometry.origin[2]) / 2.5), 0, 8)
    assert prepared.shape[0] == 23
    assert flags == (nearest % 2 == 1).tolist()


def test_a_single_slice_has_the_number_zero(tmp_path, a_volume, prepared_case):
    geometry = dataclasses.replace(a_volume.geometry, size=(14, 12, 1))
    case, prepared = prepared_case(Volume(a_volume.array[:, :1], geometry))

    assert flags_of(case, prepared, write_table(tmp_path / "slices.csv", ["case1,0,1"])) == [True]


def test_cases_that_the_table_does_not_name_have_no_flags(tmp_path, a_volume, prepared_case):
    pairs = [prepared_case(a_volume, name) for name in ("case1", "case2")]
    table = write_table(tmp_path / "slices.csv", [f"case2,{k},1" for k in range(9)])

    flags = slice_labels([case for case, _ in pairs], [prepared for _, prepared in pairs], table)

    assert list(flags) == ["case2"]
    assert flags["case2"].all()


@pytest.mark.parametrize("last", [1.0, -1.0], ids=["upwards", "downwards"])
def test_labels_flag_the_slices_that_show_anything(tmp_path, a_volume, prepared_case, last):
    volume = turned(a_volume, last=last)
    labels = np.zeros(volume.geometry.shape, np.int16)
    labels[6, 4:8, 4:8] = 1
    labels[7, 2:9, 2:9] = 2

    case, prepared = prepared_case(volume, labels=labels)

    expected = [k in (6, 7) for k in range(9)][:: int(last)]
    assert flags_of(case, prepared, tmp_path) == expected


def test_labels_may_lie_in_a_folder_of_their_own(tmp_path, a_volume, prepared_case):
    case, prepared = prepared_case(a_volume)
    folder = tmp_path / "annotated"
    folder.mkdir()
    labels = np.zeros(a_volume.geometry.shape, np.int16)
    labels[1, 4:8, 4:8] = 1
    write_image(folder / "case1.nrrd", a_volume)
    write_labels(folder / "case1-label.seg.nrrd", Volume(labels, a_volume.geometry), STRUCTURES)

    assert flags_of(case, prepared, folder) == [k == 1 for k in range(9)]


@pytest.mark.parametrize("in_source", [False, True], ids=["beside the image", "in another folder"])
def test_voxels_to_ignore_are_no_organ(tmp_path, a_volume, prepared_case, in_source, caplog):
    case, prepared = prepared_case(a_volume)
    labels = np.zeros(a_volume.geometry.shape, np.int16)
    labels[2, 4:8, 4:8], labels[2, 0, 0] = 1, 9
    source = tmp_path / "nnunet"
    path = source / "labelsTr" / "case1.nii.gz"
    write_image(source / "imagesTr" / "case1_0000.nii.gz", a_volume)
    write_labels(path, Volume(labels, a_volume.geometry), LabelTable.default_for([1, 9]))
    names = {"background": 0, "organ": 1, "ignore": 9}
    (source / "dataset.json").write_text(json.dumps({"labels": names}), encoding="utf-8")
    if not in_source:
        case = dataclasses.replace(case, labels=path, ignored=9)

    assert flags_of(case, prepared, source if in_source else tmp_path / "prepared") == [
        k == 2 for k in range(9)
    ]

    labels[5:] = 9  # nobody says whether these show the organ
    write_labels(path, Volume(labels, a_volume.geometry), LabelTable.default_for([1, 9]), overwrite=True)
    assert slice_labels([case], [prepared], source) == {}
    assert "shows nothing in 4 of 9 slices, of which voxels are to be ignored" in caplog.text


def test_without_table_and_labels_there_are_no_flags(tmp_path, a_volume, prepared_case):
    case, prepared = prepared_case(a_volume)

    assert slice_labels([case], [prepared], tmp_path) == {}


def test_a_source_that_is_not_there_is_refused(tmp_path, a_volume, prepared_case):
    case, prepared = prepared_case(a_volume)

    with pytest.raises(BadFolder, match=r"nowhere\.csv"):
        slice_labels([case], [prepared], tmp_path / "nowhere.csv")


def test_a_missing_row_is_named(tmp_path, a_volume, prepared_case):
    case, prepared = prepared_case(a_volume)
    rows = [f"case1,{k},1" for k in range(9) if k not in (3, 6)]
    table = write_table(tmp_path / "slices.csv", rows)

    with pytest.raises(BadFile) as refused:
        slice_labels([case], [prepared], table)

    assert str(refused.value) == (
        f"{table} says nothing about slice 3 of case1, which has 9 slices. {EXAMPLE}"
    )


@pytest.mark.parametrize("word", ["1", "true", "True", "YES", " yes "])
def test_words_for_yes(tmp_path, word):
    assert read_table(write_table(tmp_path / "t.csv", [f"a,4,{word}"])) == {"a": {4: True}}


@pytest.mark.parametrize("word", ["0", "false", "False", "NO", " no "])
def test_words_for_no(tmp_path, word):
    assert read_table(write_table(tmp_path / "t.csv", [f"a,4,{word}"])) == {"a": {4: False}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_tables_of_spreadsheets_may_begin_with_a_mark_and_have_more_columns(tmp_path, encoding):
    rows = ["first,Müller,0,1", "", "second,Müller,1,0"]

    table = write_table(tmp_path / "t.csv", rows, "remark,case,slice,organ", encoding)

    assert read_table(table) == {"Müller": {0: True, 1: False}}


@pytest.mark.parametrize(
    ("columns", "named"),
    [("case,slice,flag", "case, slice, flag"), ("case;slice;flag", "case;slice;flag"), ("", "none")],
)
def test_wrong_columns_are_shown(tmp_path, columns, named):
    table = write_table(tmp_path / "t.csv", [], columns)

    with pytest.raises(BadFile) as refused:
        read_table(table)

    assert str(refused.value) == f"{table} has the columns {named}. {EXAMPLE}"


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("a,1,maybe", "'maybe' is not understood."),
        ("a,1,", "'' is not understood."),
        ("a,1", "'' is not understood."),
        ("a,one,1", "'one' is not understood."),
        ("a,1.5,1", "'1.5' is not understood."),
        ("a", "'' is not understood."),
    ],
)
def test_bad_words_are_shown_with_their_line(tmp_path, row, what):
    table = write_table(tmp_path / "t.csv", ["a,0,1", row])

    with pytest.raises(BadFile, match=rf"t\.csv, line 3: .*{re.escape(what)} {re.escape(EXAMPLE)}"):
        read_table(table)


def test_a_short_line_is_refused_in_any_order_of_columns(tmp_path):
    table = write_table(tmp_path / "t.csv", ["1,a"], "organ,case,slice")

    with pytest.raises(BadFile, match=r"t\.csv, line 2: .*'' is not understood"):
        read_table(table)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    table = tmp_path / "t.csv"
    table.write_bytes(b"case,slice,organ\na,0,1\n\xff\xfe\x00")

    with pytest.raises(BadFile, match=r"t\.csv cannot be read: .*decode.*"):
        read_table(table)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadFile, match=r"t\.csv cannot be read: .*No such file"):
        read_table(tmp_path / "t.csv")


def test_two_rows_that_contradict_each_other_are_refused(tmp_path):
    table = tmp_path / "slices.csv"
    table.write_text("case,slice,organ\na,3,1\na,3,1\na,3,0\n", encoding="utf-8")

    with pytest.raises(BadFile, match=r"line 4: slice 3 of a was flagged otherwise before\. Keep one row"):
        read_table(table)


def test_a_label_file_that_cannot_be_read_costs_one_case(monkeypatch, make_case, caplog):
    cases = [Case(name, (Path(f"{name}.nii"),), Path(f"{name}-label.nii")) for name in ("a", "b")]
    prepared = [make_case(name=case.name) for case in cases]

    def read(_labeled, _path, case):
        if case.name == "a":
            raise KeyError("oops")
        return np.ones(len(case.images), bool)

    monkeypatch.setattr(module, "_from_labels", read)
    monkeypatch.setattr(module, "find_cases", lambda _: CaseList(tuple(cases), (), ""))

    assert set(module.slice_labels(cases, prepared, Path(__file__).parent)) == {"b"}
    assert "a has no slice-level labels: Something unexpected happened: KeyError: 'oops'" in caplog.text
