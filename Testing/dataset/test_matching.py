"""A label goes to the image whose name agrees; where names leave a doubt, to none."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.dataset.matching import Match, match_names


def matched(labels: str, images: str, **alone: int) -> dict[str, str]:
    """Label to image, by name."""
    label_names, image_names = labels.split(), images.split()
    matches = match_names(label_names, image_names, **alone)
    found = zip(label_names, matches, strict=True)
    return {label: image_names[match.image] for label, match in found if match.image is not None}


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        ("image_001 image_002 image_003", "label_003 label_001", "image_003 image_001"),
        ("img1 img2 img10", "seg10 seg1", "img10 img1"),
        ("volume-2 volume-12", "segmentation-12", "volume-12"),  # LiTS
        ("vol_12 vol_13", "gt_13", "vol_13"),
        ("Image1 Image2", "Label2", "Image2"),
        ("case_0001 case_0002", "case_0002_seg", "case_0002"),
        ("scan_7 scan_8", "mask_8 mask_7", "scan_8 scan_7"),
        ("image_1 image_2", "label_002", "image_2"),  # zeros on one side only
        ("image_0012 image_0002", "mask_2", "image_0002"),
        ("ct_001 ct_002", "label_002", "ct_002"),  # one is nothing but the number of the other
        ("t1_004 t1_005", "mask_4", "t1_004"),
        ("image_3 image_4", "liver_4_seg", "image_4"),
        ("Case01 Case02", "case02-label", "Case02"),
        ("P1_image_1 P1_image_2", "P1_label_2", "P1_image_2"),
        ("001_img 002_img", "002_lbl", "002_img"),
    ],
)
def test_numbers_decide(images: str, labels: str, expected: str) -> None:
    assert matched(labels, images) == dict(zip(labels.split(), expected.split(), strict=True))


def test_the_name_itself_comes_before_what_is_left_of_it() -> None:
    assert matched("img_1_mask", "volume_1 img_1") == {"img_1_mask": "img_1"}
    assert matched("label_1 label_01", "image_1 image_01") == {"label_1": "image_1", "label_01": "image_01"}


@pytest.mark.parametrize(
    ("images", "labels", "doubt"),
    [
        ("ct_001 pet_001", "label_001", "could belong to several images (ct_001, pet_001)"),
        ("image_1 image_01", "label_001", "could belong to several images (image_1, image_01)"),
        ("image_001", "label_1 label_01", "could belong to image_001, but so could label_"),
        ("image volume", "label", ""),
    ],
)
def test_what_could_be_either_is_refused(images: str, labels: str, doubt: str) -> None:
    matches = match_names(labels.split(), images.split())

    assert all(match.image is None and match.doubt.startswith(doubt) for match in matches)


@pytest.mark.parametrize("labels", ["label_003", "Segmentation_1", "segmentation-1", "mask_13", "case_1_seg"])
def test_a_label_of_another_number_belongs_to_no_image(labels: str) -> None:
    assert match_names([labels], ["image_002", "image_030"], alone=None) == [Match()]
    assert match_names([labels], ["image_002"], alone=0) == [Match()]


@pytest.mark.parametrize(
    ("label", "image"),
    [("Segmentation", "case_7"), ("Segmentation_1", "case_7"), ("mask_1", "image"), ("gt", "ct")],
)
def test_a_name_that_says_nothing_belongs_to_the_only_image(label: str, image: str) -> None:
    assert match_names([label], [image], alone=0) == [Match(image=0)]
    assert match_names([label], [image]) == [Match()]


def test_of_two_that_agree_equally_well_the_first_is_taken_and_the_other_knows_it() -> None:
    assert match_names(["a_seg", "a_mask", "a"], ["a"]) == [Match(rival=2), Match(rival=2), Match(image=0)]
    assert match_names(["a_seg", "a_mask"], ["a"]) == [Match(image=0), Match(rival=0)]
