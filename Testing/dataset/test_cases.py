"""The cases of a folder are found as people arrange them, and nothing disappears without a reason."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ContrastiveSegLib.dataset.cases import Case, CaseList, find_cases
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.file_io.structure_files import label_files


def put(folder: Path, *names: str) -> None:
    """Make empty files: whoever reads voxels while looking for cases fails."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def by_name(found: CaseList) -> dict[str, Case]:
    return {case.name: case for case in found.cases}


def reasons(found: CaseList) -> dict[str, str]:
    return {item.path.name: item.reason for item in found.left_out}


def test_images_labels_and_scribbles_in_folders_of_their_own_are_paired(tmp_path: Path) -> None:
    put(tmp_path, "images/a.nii.gz", "images/b.nii.gz", "labels/a.nii.gz", "scribbles/b.nii.gz")

    found = find_cases(tmp_path)

    a, b = found.cases
    assert a == Case("a", (tmp_path / "images/a.nii.gz",), tmp_path / "labels/a.nii.gz", patient="a")
    assert b == Case(
        "b", (tmp_path / "images/b.nii.gz",), scribbles=tmp_path / "scribbles/b.nii.gz", patient="b"
    )
    assert found.left_out == ()


@pytest.mark.parametrize(
    "label",
    [
        "case.seg.nrrd",
        "case-label.nrrd",
        "case_label.nii.gz",
        "case_labels.mha",
        "case_seg.nii.gz",
        "case_segmentation.nrrd",
        "case Segmentation.seg.nrrd",
        "case_gt.nii.gz",
        "case_mask.nii",
        "label_case.nii.gz",
        "Segmentation.seg.nrrd",
    ],
)
def test_a_label_beside_its_image_is_known_by_its_name(tmp_path: Path, label: str) -> None:
    put(tmp_path, "case.nii.gz", label)

    found = find_cases(tmp_path)

    assert [(case.name, case.labels) for case in found.cases] == [("case", tmp_path / label)]


def test_a_label_named_after_nothing_is_not_guessed_among_several_images(tmp_path: Path) -> None:
    put(tmp_path, "a.nrrd", "b.nrrd", "Segmentation.seg.nrrd")

    found = find_cases(tmp_path)

    assert all(case.labels is None for case in found.cases)
    assert reasons(found) == {"Segmentation.seg.nrrd": "labels without an image of this name"}


def test_one_folder_per_case_names_the_case(tmp_path: Path) -> None:
    put(tmp_path, "p1/image.nii.gz", "p1/label.nii.gz", "p2/image.nii.gz", "p2/mask.nii.gz")

    found = find_cases(tmp_path)

    assert {name: case.labels for name, case in by_name(found).items()} == {
        "p1": tmp_path / "p1/label.nii.gz",
        "p2": tmp_path / "p2/mask.nii.gz",
    }


def test_names_that_several_folders_have_get_the_folder_in_front(tmp_path: Path) -> None:
    put(tmp_path, "P1/frame01.nii.gz", "P1/frame01_gt.nii.gz", "P2/frame01.nii.gz", "P2/frame02.nii.gz")

    cases = by_name(find_cases(tmp_path))

    assert {name: case.patient for name, case in cases.items()} == {
        "P1_frame01": "P1",
        "P2_frame01": "P2",
        "frame02": "P2",
    }
    assert cases["P1_frame01"].labels == tmp_path / "P1/frame01_gt.nii.gz"


def test_of_two_images_of_one_name_the_first_is_kept_and_both_are_named(tmp_path: Path) -> None:
    put(tmp_path, "images/a.mha", "images/a.nii.gz", "labels/a.nii.gz", "labels/a.seg.nrrd")

    found = find_cases(tmp_path)

    assert by_name(found)["a"].images == (tmp_path / "images/a.mha",)
    assert [(item.path, item.reason) for item in found.left_out] == [
        (
            tmp_path / "images/a.nii.gz",
            f"has the same case name as {tmp_path / 'images/a.mha'}, which is used",
        ),
        (
            tmp_path / "labels/a.seg.nrrd",
            f"labels of a case that has {tmp_path / 'labels/a.nii.gz'} already",
        ),
    ]


def test_names_that_differ_in_case_only_do_not_share_a_result(tmp_path: Path) -> None:
    put(tmp_path, "x/Case.nii.gz", "y/case.nii.gz")

    assert {case.name for case in find_cases(tmp_path).cases} == {"x_Case", "y_case"}


def test_names_of_one_folder_that_differ_in_capitals_only_are_two_cases(tmp_path: Path) -> None:
    put(tmp_path, "Case.nii.gz", "case.nii.gz", "Case_seg.nii.gz")

    cases = find_cases(tmp_path).cases

    assert [(case.name, case.images[0].name, case.labels) for case in cases] == [
        ("Case", "Case.nii.gz", tmp_path / "Case_seg.nii.gz"),
        ("case_2", "case.nii.gz", None),
    ]


LAYOUTS_OF_NUMBERS = {
    "side by side": ("{}_{:03d}.nii.gz", "{}_{:03d}.nii.gz"),
    "without zeros": ("{}{}.nii", "{}-{}.nii"),
    "in folders of their own": ("images/{}_{:03d}.nii.gz", "labels/{}_{}.nii.gz"),
    "nnU-Net": ("imagesTr/{}_{:03d}_0000.nii.gz", "labelsTr/{}_{:03d}.nii.gz"),
    "of patients": ("P{1}/{0}_{1}.nii", "P{1}/{0}_{1}.nii"),
}


@pytest.mark.parametrize(("image_word", "label_word"), [("image", "label"), ("vol", "mask"), ("img", "seg")])
@pytest.mark.parametrize("layout", LAYOUTS_OF_NUMBERS)
def test_numbered_images_get_the_labels_of_their_number(
    tmp_path: Path, layout: str, image_word: str, label_word: str
) -> None:
    image, label = LAYOUTS_OF_NUMBERS[layout]
    put(tmp_path, *(image.format(image_word, n) for n in (1, 2, 3, 12)))
    put(tmp_path, *(label.format(label_word, n) for n in (2, 12)))

    found = find_cases(tmp_path)

    assert len({case.patient for case in found.cases}) == 4
    assert {case.images[0]: case.labels for case in found.cases} == {
        tmp_path / image.format(image_word, n): tmp_path / label.format(label_word, n)
        if n in (2, 12)
        else None
        for n in (1, 2, 3, 12)
    }
    assert found.left_out == ()


def test_labels_that_could_belong_to_two_images_are_left_out_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path, "images/ct_001.nii.gz", "images/pet_001.nii.gz", "labels/label_001.nii.gz")

    found = find_cases(tmp_path)

    assert [case.labels for case in found.cases] == [None, None]
    assert "could belong to several images (ct_001, pet_001)" in reasons(found)["label_001.nii.gz"]


@pytest.mark.parametrize(
    "names",
    [
        ["scan_0001.nii.gz", "scan_0002.nii.gz"],  # no channel begins at 1
        [f"scan_{n:04d}.nii.gz" for n in range(9)],  # more than anyone has
        ["P1_0000.nii.gz", "P1_0001.nii.gz", "P1_0001_seg.nii.gz"],  # a label has the whole name
        ["P1_0000.nii.gz", "P1_0001.nii.gz", "P1_1_seg.nii.gz"],
        [f"image_{n:04d}.nii.gz" for n in range(3)],  # nothing else tells one case from another
    ],
)
def test_numbers_of_cases_are_not_taken_for_channels(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, *names)

    found = find_cases(tmp_path)

    assert [case.name for case in found.cases] == [n.split(".")[0] for n in names if "seg" not in n]


def test_every_file_that_is_not_used_has_a_reason(tmp_path: Path) -> None:
    put(tmp_path, "images/a.nii.gz", "labels/b.nii.gz", "images/readme.txt", "extra.nii.gz", ".hidden.nii.gz")
    put(tmp_path, "images/a_uncertainty.nrrd", "images/.DS_Store", ".git/x.nii.gz")

    assert reasons(find_cases(tmp_path)) == {
        "b.nii.gz": "labels without an image of this name",
        "readme.txt": "not a volume in a known format (NIfTI, NRRD, MHA, DICOM)",
        "extra.nii.gz": "lies outside of the folders for images, labels and scribbles",
        "a_uncertainty.nrrd": "an uncertainty map, not an image",
    }


def test_paths_with_spaces_umlauts_and_long_names_are_found(tmp_path: Path) -> None:
    long, folder = "x" * 200, tmp_path / "Bilder von Jürgen"
    composed, decomposed = (unicodedata.normalize(form, "Größe 1") for form in ("NFC", "NFD"))
    put(folder, f"images/{long}.nii.gz", f"images/{decomposed}.nii.gz", f"labels/{composed}.nii.gz")

    cases = by_name(find_cases(folder))

    assert set(cases) == {long, composed}
    assert cases[composed].labels == folder / f"labels/{composed}.nii.gz"


@pytest.mark.parametrize("name", ["only", "leave_out"])
def test_cases_are_chosen_by_case_or_patient(tmp_path: Path, name: str) -> None:
    put(tmp_path, *(f"p{p}_frame{f}.nii.gz" for p in (1, 2, 3) for f in (1, 2)))
    named = {"p1_frame1", "p1_frame2", "p3_frame2"}

    found = find_cases(tmp_path, **{name: ["p1", "*3_frame2"]})  # type: ignore[arg-type]

    everything = {f"p{p}_frame{f}" for p in (1, 2, 3) for f in (1, 2)}
    assert set(by_name(found)) == (named if name == "only" else everything - named)
    assert len(found.left_out) == 6 - len(found.cases)
    assert all(name in item.reason for item in found.left_out)


def test_labels_without_images_are_cases_when_that_is_asked(tmp_path: Path) -> None:
    put(tmp_path, "a.seg.nrrd", "b.nii.gz", "b_uncertainty.nrrd")

    found = find_cases(tmp_path, labels_only=True)

    assert {case.name: case.labels for case in found.cases} == {
        "a": tmp_path / "a.seg.nrrd",
        "b": tmp_path / "b.nii.gz",
    }


def test_a_name_that_fits_no_case_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.nii.gz")

    with pytest.raises(BadFolder, match=r"is called 'b\*' \(cases there: a\)\. Correct the name"):
        find_cases(tmp_path, only=["a", "b*"])


FRAGMENTS = ["a", "b", "a_0000", "a_0001", "label", "a_seg", "image", "a.b", "Segmentation_1"]
FOLDERS = ["", "images/", "labels/", "p/", "p/labels/", "imagesTr/", "q/p/"]
SUFFIXES = [".nii.gz", ".seg.nrrd", ".nrrd", ".txt", ".mhd", ".zraw"]
NAMES = st.builds("".join, st.tuples(*(st.sampled_from(part) for part in (FOLDERS, FRAGMENTS, SUFFIXES))))


@given(st.sets(NAMES, min_size=1, max_size=14))
@settings(max_examples=60, deadline=None)
def test_each_file_is_either_used_once_or_left_out_once(names: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, *names)

        found = find_cases(root)

        drawn = [path for case in found.cases for path in (case.labels, case.scribbles) if path]
        used = [path for case in found.cases for path in case.images]
        used += [file for path in drawn for file in label_files(path)]
        seen = sorted(used + [item.path for item in found.left_out])
        voxels_of_a_header = {n for n in names if n.endswith(".zraw") and has_header(n, names)}
        assert seen == sorted(root / name for name in names - voxels_of_a_header)
        assert len({case.name.casefold() for case in found.cases}) == len(found.cases)


def has_header(name: str, names: set[str]) -> bool:
    stem = name.removesuffix(".zraw")
    return any(stem + suffix in names for suffix in SUFFIXES if suffix not in (".txt", ".zraw"))
