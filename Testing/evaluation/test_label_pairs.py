"""Which prediction belongs to which label; whatever stays alone is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.evaluation.label_pairs import LabelPairs, find_label_pairs

Folder = Callable[..., Path]


@pytest.fixture
def a_folder(tmp_path: Path) -> Folder:
    """Make a folder of empty files; pairing goes by names alone."""

    def make(name: str, *files: str) -> Path:
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / name

    return make


def names(found: LabelPairs) -> list[tuple[str, str, str]]:
    return [(pair.case, pair.prediction.name, pair.truth.name) for pair in found.pairs]


def test_labels_beside_their_images_are_found(a_folder: Folder) -> None:
    predictions = a_folder("predictions", "a.seg.nrrd", "a_uncertainty.nrrd", "b.nii.gz", "report.csv")
    labels = a_folder("data", "images/a.nii.gz", "images/b.nii.gz", "labels/a.nii.gz", "labels/b.nii.gz")

    found = find_label_pairs(predictions, labels)

    assert names(found) == [("a", "a.seg.nrrd", "a.nii.gz"), ("b", "b.nii.gz", "b.nii.gz")]
    assert all(pair.truth.parent.name == "labels" for pair in found.pairs)
    assert found.left_out == ()


@pytest.mark.parametrize("ending", [".nii.gz", "_gt.nii.gz", "-label.nrrd", ".seg.nrrd"])
def test_a_folder_of_label_files_alone_will_do(a_folder: Folder, ending: str) -> None:
    predictions = a_folder("predictions", "patient001_frame01.seg.nrrd")
    labels = a_folder("labels", f"patient001_frame01{ending}")

    found = find_label_pairs(predictions, labels)

    assert names(found) == [
        ("patient001_frame01", "patient001_frame01.seg.nrrd", f"patient001_frame01{ending}")
    ]
    assert found.pairs[0].patient == "patient001"


def test_cases_with_numbers_like_channels_stay_apart(a_folder: Folder) -> None:
    predictions = a_folder("predictions", "scan_0000.seg.nrrd", "scan_0001.seg.nrrd")
    labels = a_folder("labels", "scan_0000.nii.gz", "scan_0001.nii.gz")

    found = find_label_pairs(predictions, labels)

    assert [pair.case for pair in found.pairs] == ["scan_0000", "scan_0001"]


def test_names_that_differ_in_the_kind_of_file_alone_belong_together(a_folder: Folder) -> None:
    predictions = a_folder("predictions", "img001.seg.nrrd")
    labels = a_folder("labels", "label001.nii.gz")

    assert names(find_label_pairs(predictions, labels)) == [
        ("label001", "img001.seg.nrrd", "label001.nii.gz")
    ]


def test_whatever_has_no_partner_is_named_once(a_folder: Folder) -> None:
    predictions = a_folder("predictions", "a.nii.gz", "a.seg.nrrd", "c.seg.nrrd")
    labels = a_folder("labels", "a.nii.gz", "b.nii.gz")

    found = find_label_pairs(predictions, labels)

    assert names(found) == [("a", "a.nii.gz", "a.nii.gz")]
    reasons = {(file.path.parent.name, file.path.name): file.reason for file in found.left_out}
    assert len(found.left_out) == 3
    assert reasons["predictions", "c.seg.nrrd"] == "no label of this case"
    assert reasons["labels", "b.nii.gz"] == "no prediction of this case"
    assert "same case name" in reasons["predictions", "a.seg.nrrd"]


def test_an_image_without_label_is_no_label(a_folder: Folder) -> None:
    predictions = a_folder("predictions", "a.seg.nrrd", "b.seg.nrrd")
    labels = a_folder("data", "images/a.nii.gz", "images/b.nii.gz", "labels/a.nii.gz")

    found = find_label_pairs(predictions, labels)

    assert [pair.case for pair in found.pairs] == ["a"]
    assert [(file.path.name, file.reason) for file in found.left_out] == [
        ("b.seg.nrrd", "no label of this case")
    ]


def test_cases_that_were_not_asked_for_are_not_mentioned(a_folder: Folder) -> None:
    files = ["p1_frame01.nii.gz", "p1_frame02.nii.gz", "p2_frame01.nii.gz", "p3_frame01.nii.gz"]
    predictions, labels = a_folder("predictions", *files), a_folder("labels", *files)

    found = find_label_pairs(predictions, labels, only=["p1", "p2"], leave_out=["*_frame02"])

    assert [pair.case for pair in found.pairs] == ["p1_frame01", "p2_frame01"]
    assert found.left_out == ()


def test_a_pattern_says_which_part_of_the_name_is_the_patient(a_folder: Folder) -> None:
    predictions, labels = a_folder("predictions", "left-07.nii.gz"), a_folder("labels", "left-07.nii.gz")

    found = find_label_pairs(predictions, labels, patient_pattern=r"-(\d+)")

    assert found.pairs[0].patient == "07"


def test_folders_of_other_cases_are_refused_with_examples(a_folder: Folder) -> None:
    predictions = a_folder("predictions", *(f"a{n}.nii.gz" for n in range(5)))
    labels = a_folder("labels", "b.nii.gz")

    with pytest.raises(BadFolder, match=r"cases: a0, a1, a2, \.\.\.\) has a label in .* \(cases: b\)"):
        find_label_pairs(predictions, labels)
