"""Names say what people meant by a file: image, labels or scribbles, and of which case."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.dataset.file_roles import case_key, case_name, role_of_folder, role_of_name, spellings


@pytest.mark.parametrize(
    ("stem", "role"),
    [
        ("case-label", "labels"),
        ("case_GT", "labels"),
        ("case Segmentation", "labels"),
        ("segmentation-12", "labels"),
        ("Segmentation_1", "labels"),
        ("label0001", "labels"),
        ("patient3_label_2", "labels"),
        ("001mask", "labels"),
        ("lbl_7", "labels"),
        ("case_scribbles", "scribbles"),
        ("case_uncertainty", "uncertainty"),
        ("case", "image"),
        ("segovia_03", "image"),
        ("labelled", "image"),
        ("T1-masked", "image"),
    ],
)
def test_a_role_is_a_whole_word_in_front_of_the_name_or_at_its_end(stem: str, role: str) -> None:
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
        ("image_012", "mask_012"),
        ("P4_image_2", "P4_label_2"),
        ("img_5", "img_5_mask"),
        ("image", "Segmentation"),
        ("two\nlines", "two\nlines_mask"),
    ],
)
def test_image_and_label_have_a_key_in_common(image: str, label: str) -> None:
    assert case_key(image) == case_key(label)


@pytest.mark.parametrize(("one", "other"), [("image_001", "image_002"), ("img1", "img10"), ("vol_1", "vol")])
def test_names_of_two_numbers_have_two_keys(one: str, other: str) -> None:
    assert case_key(one) != case_key(other)


def test_words_are_taken_off_one_after_the_other() -> None:
    assert spellings("img_1_mask") == ("img_1_mask", "img_1", "1")


def test_a_case_is_not_named_by_a_bare_number() -> None:
    assert case_name("img0001") == "img0001"
    assert case_name("case7_image") == "case7"
