"""Every folder is looked through, also those of DICOM series, and layouts are recognized."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.dataset.layouts import OTHER_FORMAT, survey
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.file_io.dicom import find_series

UID = "1.2.826.0.1.3680043.2.1125.{}"


def write_series(
    folder: Path,
    number: int,
    *,
    description: str = "",
    patient: str = "",
    modality: str = "MR",
    suffix: str = ".dcm",
) -> None:
    """Write two slices of one DICOM series."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(2):
        image = sitk.GetImageFromArray(np.full((1, 4, 4), k, np.int16))
        tags = {
            "0008|0060": modality,
            "0008|0018": UID.format(f"{number}.{k}"),
            "0008|103e": description,
            "0010|0020": patient,
            "0020|000d": UID.format(9),
            "0020|000e": UID.format(number),
            "0020|0032": f"0\\0\\{3 * k}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetImageIO("GDCMImageIO")
        path = folder / f"s{number}_{k}.dcm"
        writer.SetFileName(str(path))
        writer.Execute(image)
        path.rename(folder / f"s{number}_{k}{suffix}")


@pytest.mark.parametrize("suffix", [".dcm", ".IMA", ""])
def test_a_folder_of_dicom_slices_is_one_case_of_its_patient(tmp_path: Path, suffix: str) -> None:
    write_series(tmp_path / "Anna" / "T2 axial", 1, patient="4711", suffix=suffix)

    found = find_cases(tmp_path)

    (case,) = found.cases
    assert (case.name, case.images, case.patient) == ("T2 axial", (tmp_path / "Anna" / "T2 axial",), "4711")
    assert found.layout == "DICOM series"


def test_the_chosen_folder_may_be_the_series_itself(tmp_path: Path) -> None:
    write_series(tmp_path / "series", 1)

    (case,) = find_cases(tmp_path / "series").cases

    assert (case.name, case.images) == ("series", (tmp_path / "series",))


def test_several_series_in_one_folder_are_cases_of_their_own(tmp_path: Path) -> None:
    for number, description in ((1, "T1 + C"), (2, "T2"), (3, "T2")):
        write_series(tmp_path / "exam", number, description=description, patient="P")

    cases = find_cases(tmp_path).cases

    assert {case.name: case.images for case in cases} == {
        "exam_T1_C": (tmp_path / "exam" / "s1_0.dcm",),
        "exam_T2": (tmp_path / "exam" / "s2_0.dcm",),
        "exam_T2_3": (tmp_path / "exam" / "s3_0.dcm",),
    }
    assert {case.patient for case in cases} == {"P"}


def test_series_in_folders_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    write_series(tmp_path / "PA1" / "SE0", 1)
    write_series(tmp_path / "PA2" / "SE0", 2)

    assert [case.name for case in find_cases(tmp_path).cases] == ["PA1_SE0", "PA2_SE0"]


@pytest.mark.parametrize("label", ["case.seg.nrrd", "case/case.seg.nrrd", "case/Segmentation.seg.nrrd"])
def test_labels_beside_or_inside_the_folder_of_a_series_belong_to_it(tmp_path: Path, label: str) -> None:
    write_series(tmp_path / "case", 1)
    (tmp_path / label).touch()

    assert [case.labels for case in find_cases(tmp_path).cases] == [tmp_path / label]


def test_words_in_the_folder_of_a_series_do_not_hide_its_labels(tmp_path: Path) -> None:
    write_series(tmp_path / "image01", 1)
    (tmp_path / "label01.nii.gz").touch()

    (case,) = find_cases(tmp_path).cases

    assert (case.name, case.labels) == ("image01", tmp_path / "label01.nii.gz")


def test_series_below_images_are_paired_with_labels(tmp_path: Path) -> None:
    write_series(tmp_path / "images" / "case", 1)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "case.nii.gz").touch()

    assert [case.labels for case in find_cases(tmp_path).cases] == [tmp_path / "labels" / "case.nii.gz"]


def test_dicom_files_without_an_image_are_left_out(tmp_path: Path) -> None:
    write_series(tmp_path, 1)
    write_series(tmp_path, 2, modality="SEG")
    (tmp_path / "torn.dcm").write_bytes(b"\0" * 128 + b"DICM")

    found = find_cases(tmp_path)

    assert len(found.cases) == 1
    assert {item.path.name: item.reason for item in found.left_out} == {
        "torn.dcm": "a DICOM file that is damaged, encrypted or holds no image",
        "s2_0.dcm": "a DICOM series with a segmentation (SEG), not an image",
    }


def test_dicom_files_that_may_not_be_opened_are_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked.dcm").write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda path, _: path.name != "locked.dcm")

    reasons = {out.path.name: out.reason for out in find_cases(tmp_path).left_out}

    assert reasons["locked.dcm"] == "cannot be opened; check the access rights"


def test_series_whose_descriptions_differ_in_capitals_only_are_two(tmp_path: Path) -> None:
    write_series(tmp_path / "exam", 1, description="Ax T1", patient="P")
    write_series(tmp_path / "exam", 2, description="ax t1", patient="P")

    cases = find_cases(tmp_path).cases

    assert [case.images[0].name for case in cases] == ["s1_0.dcm", "s2_0.dcm"]
    assert len({case.name.casefold() for case in cases}) == 2


def test_folders_of_series_that_differ_in_capitals_only_are_two(tmp_path: Path) -> None:
    write_series(tmp_path / "SE1", 1)
    write_series(tmp_path / "Se1", 2)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk knows no capitals")

    cases = find_cases(tmp_path).cases

    assert {case.images[0].name for case in cases} == {"SE1", "Se1"}
    assert len({case.name.casefold() for case in cases}) == 2


HIDDEN = ["._s1_0.dcm", "._a.nii.gz", ".DS_Store", "Thumbs.db", ".git/x.nii.gz", "__MACOSX/._b.nii"]


@pytest.mark.parametrize("name", HIDDEN)
def test_what_the_system_left_is_not_there(tmp_path: Path, name: str) -> None:
    write_series(tmp_path / "images" / "case", 1)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "case.nii.gz").touch()
    for folder in (tmp_path, tmp_path / "images", tmp_path / "images" / "case", tmp_path / "labels"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0\5\x16\7" + b"\0" * 124 + b"DICM" + b"\0" * 60)

    found = find_cases(tmp_path)

    (case,) = found.cases
    assert found.left_out == ()
    assert case.labels == tmp_path / "labels" / "case.nii.gz"
    assert len(find_series(case.images[0]).files) == 2


def test_a_hidden_copy_of_a_slice_is_no_slice(tmp_path: Path) -> None:
    write_series(tmp_path, 1)
    (tmp_path / ".s1_1 copy.dcm").write_bytes((tmp_path / "s1_1.dcm").read_bytes())

    assert [file.name for file in find_series(tmp_path).files] == ["s1_0.dcm", "s1_1.dcm"]


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["a.nii.gz", "a_seg.nii.gz"], "images and labels side by side"),
        (["images/a.nii.gz"], "images and labels in folders of their own"),
        (["imagesTr/a.nii.gz"], "Medical Segmentation Decathlon"),
        (["imagesTs/a_0000.nii.gz"], "nnU-Net"),
    ],
)
def test_a_layout_is_called_by_its_name(tmp_path: Path, names: list[str], layout: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert survey(tmp_path).layout == layout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_among_the_images_is_left_out_and_never_waited_for(tmp_path: Path) -> None:
    for name in ("pipe.nrrd", "pipe", "pipe.nii.gz"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "a.nrrd").touch()

    found = find_cases(tmp_path)

    assert [case.name for case in found.cases] == ["a"]
    assert {out.reason for out in found.left_out} == {"is no ordinary file, but a pipe, a socket or a device"}


def test_the_voxels_of_a_header_are_part_of_it(tmp_path: Path) -> None:
    for name in ("a.mhd", "a.zraw", "b.raw"):
        (tmp_path / name).touch()

    found = survey(tmp_path)

    assert [file.path.name for file in found.files] == ["a.mhd"]
    assert [item.path.name for item in found.left_out] == ["b.raw"]


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.nii.gz").touch()
    root = tmp_path / "root"
    root.mkdir()
    try:
        (root / "images").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (root / "images" / "again").symlink_to(root, target_is_directory=True)
    except OSError:
        pytest.skip("links need a right that this account lacks")

    assert [file.path for file in survey(root).files] == [root / "images" / "a.nii.gz"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing does not exist. Check the path."),
        ("file.nii.gz", "is a file, not a folder. Choose its folder"),
        ("empty", "empty is empty. Choose the folder that holds the volumes."),
    ],
)
def test_a_folder_that_holds_nothing_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden").touch()
    (tmp_path / "file.nii.gz").touch()

    with pytest.raises(BadFolder, match=message):
        survey(tmp_path / name)


def test_a_run_folder_among_the_images_is_passed_by(tmp_path):
    for name in ("a.nii.gz", "runs/heart/annotations/images/a.nii.gz", "notes/run.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
    (tmp_path / "runs" / "heart" / "run.json").write_text('{"program": "ContrastiveSeg", "run_format": 1}')

    found = survey(tmp_path)

    assert [file.path.name for file in found.files] == ["a.nii.gz"]
    assert {out.path.name: out.reason for out in found.left_out} == {
        "heart": "a run folder of this program, whose files are no data",
        "run.json": "not a volume in a known format (NIfTI, NRRD, MHA, DICOM)",
    }


def test_many_tables_beside_images_are_one_line(tmp_path: Path) -> None:
    write_series(tmp_path / "exam", 1)
    for number in range(21):
        (tmp_path / f"case_{number}.json").touch()
    (tmp_path / "notes.txt").touch()

    left_out = find_cases(tmp_path).left_out

    assert {item.path.name: item.reason for item in left_out} == {
        "notes.txt": OTHER_FORMAT,
        tmp_path.name: f"21 files with the ending .json: {OTHER_FORMAT}",
    }
