"""Voxels are whole numbers that the table knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.imaging.label_values import default_table, renumber, whole_numbers
from ContrastiveSegLib.imaging.labels import LabelTable


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, np.float64])
def test_whole_numbers_of_any_type_become_int16(dtype):
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)

    whole, notes = whole_numbers(array, Path("case.nrrd"))

    assert whole.dtype == np.int16
    np.testing.assert_array_equal(whole, array)
    assert notes == ()


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64, np.float32, np.float64])
def test_numbers_that_need_more_than_int16_become_int32(dtype):
    array = np.array([0, 7, 32768, 65535], dtype)

    whole, _ = whole_numbers(array, Path("case.nrrd"))

    assert whole.dtype == np.int32
    np.testing.assert_array_equal(whole, array)


def test_a_file_with_more_values_than_structures_can_have_is_no_label_map():
    array = np.arange(40000, dtype=np.int32).reshape(10, 40, 100)

    with pytest.raises(BadFile, match=r"a\.nii has 39999 different values: it looks like an image"):
        default_table(array, Path("a.nii"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_scaling_moved_a_little_are_rounded_and_that_is_said(dtype):
    array = np.array([0, 1.00002, 2.9998, -0.0004, 254.9995], dtype)

    whole, (note,) = whole_numbers(array, Path("case.nii.gz"))

    np.testing.assert_array_equal(whole, [0, 1, 3, 0, 255])
    assert note == "case.nii.gz: 4 label values such as 1.00002 were rounded."


@pytest.mark.parametrize("wrong", [0.5, 1.002, 2.95, np.nan, np.inf])
def test_fractions_are_refused(wrong):
    with pytest.raises(BadFile, match=r"case\.nii\.gz has .*(fractional|label value inf)"):
        whole_numbers(np.array([0, 1, wrong]), Path("case.nii.gz"))


def test_a_file_that_scales_coarsely_is_forgiven_its_own_step_but_never_more_than_a_twentieth():
    step = 7 / 255  # seven structures in bytes

    assert whole_numbers(np.round(np.arange(8.0) / step) * step, Path("a.nii"), step=step)[0].tolist() == [
        *range(8)
    ]
    with pytest.raises(BadFile, match="fractional"):
        whole_numbers(np.array([0, 1.06]), Path("a.nii"), step=0.2)


def test_a_label_map_of_painted_background_alone_has_nothing_to_renumber():
    array = np.zeros((2, 3, 4), np.int16)

    np.testing.assert_array_equal(
        renumber(array, LabelTable(()), LabelTable.default_for([3]), Path("a")), array
    )


def test_renumbering_moves_every_voxel_to_the_value_of_its_name():
    own = LabelTable.default_for([1, 2, 9])
    table = LabelTable.merged(LabelTable.default_for([9, 2]), own)
    array = np.random.default_rng(0).choice([0, 1, 2, 9], (3, 4, 5)).astype(np.int16)

    renumbered = renumber(array, own, table, Path("case.nrrd"))

    names = {0: "background"} | dict(zip(table.values, table.names, strict=True))
    own_names = {0: "background"} | dict(zip(own.values, own.names, strict=True))
    for before, after in zip(array.ravel().tolist(), renumbered.ravel().tolist(), strict=True):
        assert names[after] == own_names[before]


def test_only_structures_that_occur_must_be_known():
    own, table = LabelTable.default_for([1, 2]), LabelTable.default_for([1])
    array = np.array([[[0, 1]]], np.int16)

    np.testing.assert_array_equal(renumber(array, own, table, Path("case.nrrd")), array)
    with pytest.raises(
        BadFile, match=r"case\.nrrd has structures that the label table lacks: structure 2 \(known"
    ):
        renumber(array + 1, own, table, Path("case.nrrd"))


def test_complex_numbers_are_no_labels():
    with pytest.raises(BadFile, match=r"a\.nrrd holds complex numbers\. Save the labels as whole numbers"):
        whole_numbers(np.ones((1, 2, 2), np.complex64), Path("a.nrrd"))
