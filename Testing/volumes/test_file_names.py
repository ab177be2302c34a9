"""File names say what people meant by them."""

from __future__ import annotations

import unicodedata

import pytest

from ContrastiveSegLib.volumes.file_names import (
    case_key,
    case_name,
    channel_of,
    patient_of,
    role_of_folder,
    role_of_name,
    split_suffix,
)


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.b.seg.nrrd", "a.b", ".seg.nrrd"),
        ("Liver 3.NII.GZ", "Liver 3", ".nii.gz"),
        ("x.nrrd", "x", ".nrrd"),
        ("x.mhd", "x", ".mhd"),
        ("notes.txt", "notes.txt", ""),
        (".nii.gz", ".nii.gz", ""),
        (unicodedata.normalize("NFD", "Größe.nii"), "Größe", ".nii"),
    ],
)
def test_a_name_is_split_at_the_suffix_of_a_volume(name: str, stem: str, suffix: str) -> None:
    assert split_suffix(name) == (stem, suffix)


@pytest.mark.parametrize(
    ("stem", "role"),
    [
        ("case-label", "labels"),
        ("case_GT", "labels"),
        ("case Segmentation", "labels"),
        ("segmentation-12", "labels"),
        ("Segmentation_1", "labels"),
        ("label0001", "labels"),
        ("case_scribbles", "scribbles"),
        ("case_uncertainty", "uncertainty"),
        ("case", "image"),
        ("segovia_03", "image"),
        ("labelled", "image"),
        ("T1-masked", "image"),
    ],
)
def test_a_role_is_a_whole_word_at_an_end_of_the_name(stem: str, role: str) -> None:
    assert role_of_name(stem, ".nii.gz") == role


def test_a_seg_nrrd_holds_labels_whatever_its_name() -> None:
    assert role_of_name("case", ".seg.nrrd") == "labels"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("images", ("image", "")),
        ("imagesTr", ("image", "tr")),
        ("labelsTs", ("labels", "ts")),
        ("Masks", ("labels", "")),
        ("scribbles", ("scribbles", "")),
        ("patient001", ("", "")),
        ("imagesOfMarch", ("", "")),
    ],
)
def test_folders_are_known_by_their_names(name: str, expected: tuple[str, str]) -> None:
    assert role_of_folder(name) == expected


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("case01", "case01_seg"),
        ("case01_image", "case01-label"),
        ("img0001", "label0001"),
        ("volume-3", "segmentation-3"),
        ("image", "Segmentation"),
    ],
)
def test_image_and_label_have_a_key_in_common(image: str, label: str) -> None:
    assert case_key(image) == case_key(label)


def test_a_case_is_not_named_by_a_bare_number() -> None:
    assert case_name("img0001") == "img0001"
    assert case_name("case7_image") == "case7"


def test_only_four_digits_are_a_channel() -> None:
    assert channel_of("brain_0001") == ("brain", 1)
    assert channel_of("hippocampus_001") == ("hippocampus_001", None)


@pytest.mark.parametrize(
    ("place", "name", "patient"),
    [
        ("", "patient001_frame12", "patient001"),
        ("", "P7_ses-02_t1", "P7"),
        ("", "case3-phase4", "case3"),
        ("", "patient9_ED", "patient9"),
        ("", "sub-04_ses-1_T2w", "sub-04"),
        ("sub-11/anat", "T1w", "sub-11"),
        ("", "hippocampus_001", "hippocampus_001"),
        ("", "frame01", "frame01"),
        ("", "red", "red"),
    ],
)
def test_the_patient_is_the_name_without_frame_and_session(place: str, name: str, patient: str) -> None:
    assert patient_of(place, name) == patient
