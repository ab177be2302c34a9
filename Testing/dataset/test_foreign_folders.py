"""Folders of MONAI Label and BIDS: labels find their image, unchecked labels are left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.dataset.foreign_folders import NO_SEGMENTATION, NOT_CORRECTED
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure

PIPELINE = "derivatives/manual"


def _write(path: Path, *, labels: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.arange(60).reshape(3, 4, 5)
    sitk.WriteImage(sitk.GetImageFromArray((array % 3 if labels else array).astype(np.uint8)), str(path))
    return path


def _labels(folder: Path) -> dict[str, str]:
    cases = find_cases(folder).cases
    return {
        case.name: case.labels.relative_to(folder).as_posix() if case.labels else "none" for case in cases
    }


def test_monai_label_gives_what_a_person_saved_and_not_what_its_model_predicted(tmp_path):
    for name in ("scan_a", "scan_b"):
        _write(tmp_path / f"{name}.nii.gz")
        _write(tmp_path / "labels" / "original" / f"{name}.nii.gz", labels=True)
    _write(tmp_path / "labels" / "final" / "scan_a.nii.gz", labels=True)
    (tmp_path / "datastore_v2.json").write_text("{}", encoding="utf-8")

    assert _labels(tmp_path) == {"scan_a": "labels/final/scan_a.nii.gz", "scan_b": "none"}
    reasons = {out.path.name: out.reason for out in find_cases(tmp_path).left_out}
    assert reasons["original"] == NOT_CORRECTED


def _saved(folder: Path, label_info: list | None) -> Path:
    """Labels in the datastore of MONAI Label, and what was said of them."""
    info = {"ts": 1, "label_info": label_info}
    objects = {"scan_a": {"labels": {"final": {"ext": ".nii.gz", "info": info}}}}
    path = _write(folder / "labels" / "final" / "scan_a.nii.gz", labels=True)
    (folder / "datastore_v2.json").write_text(json.dumps({"objects": objects}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("label_info", "names"),
    [
        ([{"name": "spleen", "idx": 1}, {"name": "liver", "idx": 2}], ("spleen", "liver")),
        ([{"name": "organ", "idx": 1}, {"name": "Organ", "idx": 2}], ("organ", "Organ (2)")),
        ([{"name": "spleen", "idx": 2}, {"name": "liver", "idx": 3}], ("structure 1", "structure 2")),
        (None, ("structure 1", "structure 2")),
    ],
)
def test_names_that_monai_label_keeps_are_taken_where_the_values_are_sure(tmp_path, label_info, names):
    assert read_labels(_saved(tmp_path, label_info)).table.names == names


@pytest.mark.parametrize("text", ["{", "[]", '{"objects": {"scan_a": {"labels": {"final": {"info": 3}}}}}'])
def test_a_datastore_that_cannot_be_understood_is_a_sentence(tmp_path, text):
    path = _saved(tmp_path, None)
    (tmp_path / "datastore_v2.json").write_text(text, encoding="utf-8")

    with pytest.raises(BadFile, match=r"datastore_v2\.json does not say what the label values are called"):
        read_labels(path)


def test_images_in_a_folder_called_original_are_read(tmp_path):
    _write(tmp_path / "original" / "scan_a.nii.gz")
    _write(tmp_path / "final" / "scan_b.nii.gz")

    assert list(_labels(tmp_path)) == ["scan_a", "scan_b"]


def test_labels_of_bids_are_found_below_derivatives(tmp_path):
    (tmp_path / "dataset_description.json").write_text("{}", encoding="utf-8")
    for scan in ("sub-01/ses-1/anat/sub-01_ses-1", "sub-01/ses-2/anat/sub-01_ses-2", "sub-02/anat/sub-02"):
        _write(tmp_path / f"{scan}_T1w.nii.gz")
        _write(tmp_path / PIPELINE / f"{scan}_desc-preproc_T1w.nii.gz")
        _write(tmp_path / PIPELINE / f"{scan}_label-GM_probseg.nii.gz")
    one = f"{PIPELINE}/sub-01/ses-2/anat/sub-01_ses-2_space-orig_desc-manual_dseg.nii.gz"
    two = f"{PIPELINE}/sub-02/anat/sub-02_dseg.nii.gz"
    for path in (one, two):
        _write(tmp_path / path, labels=True)

    found = _labels(tmp_path)

    assert found == {"sub-01_ses-1_T1w": "none", "sub-01_ses-2_T1w": one, "sub-02_T1w": two}
    assert [case.patient for case in find_cases(tmp_path).cases] == ["sub-01", "sub-01", "sub-02"]
    reasons = [out.reason for out in find_cases(tmp_path).left_out if "derivatives" in str(out.path)]
    assert sorted(set(reasons)) == sorted({NO_SEGMENTATION, "a map of probabilities, which are no labels"})
    assert len(reasons) == 6


def test_labels_of_bids_that_two_scans_could_have_are_given_to_neither(tmp_path):
    for kind in ("T1w", "T2w"):
        _write(tmp_path / "sub-01" / "anat" / f"sub-01_{kind}.nii.gz")
    _write(tmp_path / PIPELINE / "sub-01" / "anat" / "sub-01_dseg.nii.gz", labels=True)

    found = find_cases(tmp_path)

    assert [case.labels for case in found.cases] == [None, None]
    assert "could belong to several images (sub-01_T1w, sub-01_T2w)" in found.left_out[0].reason


@pytest.mark.parametrize("table", ["sub-01_dseg.tsv", "../dseg.tsv", "../../../dseg.tsv"])
def test_names_of_values_come_from_the_table_of_bids(tmp_path, table):
    (tmp_path / "dataset_description.json").write_text("{}", encoding="utf-8")
    path = _write(tmp_path / PIPELINE / "sub-01" / "sub-01_desc-x_dseg.nii.gz", labels=True)
    text = "index\tname\tcolor\n0\tBackground\t#000000\n1\tGray Matter\t#ff0000\n2\tWhite Matter\t#0000ff\n"
    (path.parent / table).write_text(text, encoding="utf-8")

    read = read_labels(path)

    assert read.table.names == ("Gray Matter", "White Matter")
    assert read.table.structures[0].color == (1.0, 0.0, 0.0)
    expected = LabelTable((Structure(5, "white matter", (1, 1, 1)), Structure(9, "gray matter", (1, 1, 1))))
    named = np.array([0, 9, 5])[np.arange(60).reshape(3, 4, 5) % 3]
    np.testing.assert_array_equal(read_labels(path, expected).volume.array, named)


def test_a_table_of_another_subject_names_nothing(tmp_path):
    path = _write(tmp_path / "sub-01_dseg.nii.gz", labels=True)
    (tmp_path / "sub-02_dseg.tsv").write_text("index\tname\n1\ta\n2\tb\n", encoding="utf-8")

    assert read_labels(path).table.names == ("structure 1", "structure 2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("index\tlabel\n1\ta\n", "its columns are index, label"),
        ("1\tliver\n", "its columns are 1, liver"),
        ("index\tname\nx\ta\n", "the index 'x' is no whole number"),
        ("index\tname\n1\ta\n2\tA\n", "Two structures share the name 'a'"),
        ("index\tname\n1\n", "The structure with label value 1 has no name"),
        ("index\tname\n", "it has no rows"),
        ("\0\n", ""),
    ],
)
def test_a_table_without_names_is_a_sentence(tmp_path, text, said):
    path = _write(tmp_path / "sub-01_dseg.nii.gz", labels=True)
    (tmp_path / "sub-01_dseg.tsv").write_text(text, encoding="utf-8")

    with pytest.raises(
        BadFile, match=rf"sub-01_dseg\.tsv does not say what the label values are called: {said}"
    ):
        read_labels(path)


def test_files_that_describe_others_are_not_called_left_out(tmp_path):
    _write(tmp_path / "sub-01_T1w.nii.gz")
    _write(tmp_path / "sub-01_dseg.nii.gz", labels=True)
    for name in ("sub-01_T1w.json", "sub-01_dseg.tsv", "dataset_description.json", "participants.tsv"):
        (tmp_path / name).write_text("index\tname\n1\tliver\n", encoding="utf-8")
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")

    assert [out.path.name for out in find_cases(tmp_path).left_out] == ["other.json"]
