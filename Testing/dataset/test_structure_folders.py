"""Folders with one file per structure, as TotalSegmentator writes them, become the labels of their case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_image, read_labels, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from Testing.file_io.test_dicom import write_series

SHAPE = (4, 6, 5)


def _write(path: Path, array: np.ndarray | None = None, *, spacing: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.arange(120).reshape(SHAPE) if array is None else array.astype(np.uint8))
    image.SetSpacing((spacing, 1.0, 2.0))
    sitk.WriteImage(image, str(path))
    return path


def _box(low: int, high: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[:, low:high] = True
    return mask


def _case(folder: Path, structures: dict[str, np.ndarray], *, image: str = "ct.nii.gz") -> None:
    _write(folder / image)
    for name, mask in structures.items():
        _write(folder / "segmentations" / f"{name}.nii.gz", mask)


def test_a_folder_of_structures_is_the_labels_of_the_case_beside_it(tmp_path):
    both = {"liver": _box(0, 3), "vertebrae_L1": _box(4, 5)}
    _case(tmp_path / "s0001", both)
    _case(tmp_path / "s0002", both)
    _case(tmp_path / "s0003", {})

    found = find_cases(tmp_path)

    assert [case.name for case in found.cases] == ["s0001_ct", "s0002_ct", "s0003_ct"]
    assert [case.patient for case in found.cases] == ["s0001", "s0002", "s0003"]
    assert found.cases[0].labels == tmp_path / "s0001" / "segmentations"
    assert found.cases[2].labels is None
    assert found.left_out == ()
    read = read_labels(found.cases[0].labels)
    assert read.table.names == ("liver", "vertebrae_L1")
    np.testing.assert_array_equal(read.volume.array, _box(0, 3) + 2 * _box(4, 5))
    assert read.volume.geometry.spacing == (1.0, 1.0, 2.0)
    assert read.notes == ()


def test_a_single_annotated_case_with_a_single_structure_counts(tmp_path):
    _case(tmp_path / "P1", {"spleen": _box(1, 2)}, image="image.nrrd")
    _case(tmp_path / "P2", {}, image="image.nrrd")

    found = find_cases(tmp_path)

    assert [case.labels and case.labels.name for case in found.cases] == ["segmentations", None]


@pytest.mark.parametrize("name", ["P2", "p2_seg", "2", "seg_2", "image_P2"])
def test_labels_called_after_another_patient_are_no_structure(tmp_path, name):
    _case(tmp_path / "P1", {name: _box(1, 2)}, image="scan_P1.nii.gz")
    _case(tmp_path / "P2", {}, image="scan_P2.nii.gz")

    found = find_cases(tmp_path)

    assert [case.labels for case in found.cases] == [None, None]
    assert [out.path.name for out in found.left_out] == [f"{name}.nii.gz"]


def test_numbers_of_vertebrae_and_ribs_are_none_of_patients(tmp_path):
    for case in ("1", "2"):
        _case(tmp_path / case, {"vertebrae_L1": _box(1, 2), "rib_left_2": _box(3, 4)})

    found = find_cases(tmp_path)

    assert [case.labels for case in found.cases] == [tmp_path / n / "segmentations" for n in ("1", "2")]


@pytest.mark.parametrize("name", ["patient_2", "case 2", "ct_2", "exam2", "P2", "scan_ct_2"])
def test_numbers_of_patients_are_none_of_structures(tmp_path, name):
    _case(tmp_path / "1", {name: _box(1, 2)})
    _case(tmp_path / "2", {})

    assert [case.labels for case in find_cases(tmp_path).cases] == [None, None]


def test_a_structure_called_background_is_painted_background(tmp_path):
    folder = tmp_path / "segmentations"
    _write(folder / "Background.nii.gz", _box(4, 6))
    _write(folder / "liver.nii.gz", _box(0, 3))

    read = read_labels(folder)

    assert read.table.names == ("liver",)
    np.testing.assert_array_equal(read.background, _box(4, 6))
    assert set(np.unique(read.volume.array[_box(4, 6)])) == {0}


def test_beside_two_images_structures_belong_to_none_and_what_to_do_is_said(tmp_path):
    _case(tmp_path / "P1", {"liver": _box(1, 2)}, image="ct1.nii.gz")
    _write(tmp_path / "P1" / "ct2.nii.gz")

    found = find_cases(tmp_path)

    assert [case.labels for case in found.cases] == [None, None]
    assert [out.path.name for out in found.left_out] == ["liver.nii.gz"]
    assert "several images lie beside it (ct1, ct2)" in found.left_out[0].reason
    assert "call it after the one that it belongs to (ct1_segmentations)" in found.left_out[0].reason


@pytest.mark.parametrize("folder", ["{}_segmentations", "{}-seg", "segmentations_{}", "segmentations/{}"])
def test_beside_two_images_a_folder_is_called_after_its_own(tmp_path, folder):
    for image in ("ct1", "CT2"):
        _write(tmp_path / "P1" / f"{image}.nii.gz")
        for name in ("liver", "my own structure"):
            _write(tmp_path / "P1" / folder.format(image) / f"{name}.nii.gz", _box(1, 2))

    found = find_cases(tmp_path)

    places = {case.images[0].name: case.labels for case in found.cases}
    assert places == {f"{n}.nii.gz": tmp_path / "P1" / folder.format(n) for n in ("ct1", "CT2")}
    assert found.left_out == ()


def test_two_folders_of_one_image_leave_the_second_out(tmp_path):
    _case(tmp_path / "P1", {"liver": _box(1, 2), "spleen": _box(3, 4)})
    for name in ("liver", "spleen"):
        _write(tmp_path / "P1" / "ct_seg" / f"{name}.nii.gz", _box(1, 2))

    found = find_cases(tmp_path)

    assert found.cases[0].labels.name == "ct_seg"
    assert "because ct_seg beside it is one" in found.left_out[0].reason


@pytest.mark.parametrize("place", ["P1", ""])
def test_a_folder_of_any_name_counts_if_its_files_are_called_as_totalsegmentator_does(tmp_path, place):
    _write(tmp_path / place / "ct1.nii.gz")
    for name in ("vertebrae_L1", "lung_upper_lobe_left", "spleen"):
        _write(tmp_path / place / "total" / f"{name}.nii.gz", _box(1, 2))

    (case,) = find_cases(tmp_path).cases

    assert case.labels == tmp_path / place / "total"


def test_images_of_organs_in_folders_of_their_own_stay_images(tmp_path):
    for name in ("P1/liver", "P1/spleen", "P2/liver", "P2/spleen"):
        _write(tmp_path / f"{name}.nii.gz")

    assert len(find_cases(tmp_path).cases) == 4


def test_the_slices_of_a_case_may_be_a_dicom_series(tmp_path):
    write_series(tmp_path / "P1" / "ct", [0, 3, 6])
    for name in ("liver", "spleen"):
        _write(tmp_path / "P1" / "segmentations" / f"{name}.nii.gz", _box(1, 2))

    (case,) = find_cases(tmp_path).cases

    assert case.labels == tmp_path / "P1" / "segmentations"


def test_a_mask_among_images_is_noted(tmp_path):
    note = read_image([_write(tmp_path / "liver.nii.gz", _box(1, 2))]).notes[0]

    assert note.startswith("liver.nii.gz: it holds two values alone, as a mask does.")


def test_labels_called_like_the_image_win_and_the_structures_are_named(tmp_path):
    _case(tmp_path / "P1", {"liver": _box(1, 2)})
    _write(tmp_path / "P1" / "ct-label.nii.gz", _box(0, 1))

    found = find_cases(tmp_path)

    assert found.cases[0].labels == tmp_path / "P1" / "ct-label.nii.gz"
    assert [out.path.name for out in found.left_out] == ["liver.nii.gz"]
    assert "ct-label.nii.gz already" in found.left_out[0].reason


def test_voxels_of_two_structures_go_to_the_later_name_and_are_counted(tmp_path):
    folder = tmp_path / "segmentations"
    _write(folder / "liver.nii.gz", _box(0, 3))
    _write(folder / "tumor.nii.gz", _box(2, 4) * 255)

    read = read_labels(folder)

    np.testing.assert_array_equal(read.volume.array, np.where(_box(2, 4), 2, _box(0, 3)))
    assert read.notes == (
        "segmentations: 20 voxels belong to more than one structure (liver.nii.gz, tumor.nii.gz); each went "
        "to the one that comes later.",
    )


def test_values_are_those_of_the_expected_structures(tmp_path):
    folder = tmp_path / "masks"
    _write(folder / "Liver.nii.gz", _box(0, 3))
    table = LabelTable((Structure(1, "spleen", (1, 0, 0)), Structure(7, "liver", (0, 1, 0))))

    np.testing.assert_array_equal(read_labels(folder, table).volume.array, 7 * _box(0, 3))

    _write(folder / "kidney.nii.gz", _box(4, 5))
    with pytest.raises(BadFile, match=r"masks has structures that the label table lacks: kidney"):
        read_labels(folder, table)


@pytest.mark.parametrize(
    ("array", "spacing", "said"),
    [
        (
            np.arange(120).reshape(SHAPE) % 3,
            1.0,
            r"b\.nii\.gz lies in a folder with one file per.* holds 2",
        ),
        (_box(0, 1), 1.5, r"b\.nii\.gz lies on another grid than a\.nii\.gz"),
    ],
)
def test_a_file_that_is_no_structure_is_named(tmp_path, array, spacing, said):
    _write(tmp_path / "a.nii.gz", _box(3, 4))
    _write(tmp_path / "b.nii.gz", array, spacing=spacing)

    with pytest.raises(BadFile, match=said):
        read_labels(tmp_path)


def test_names_that_differ_in_capitals_alone_are_named(tmp_path):
    for name in ("Liver", "liver"):
        _write(tmp_path / f"{name}.nii.gz", _box(3, 4))
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk does not tell capitals apart")

    with pytest.raises(
        BadFile, match=r"liver\.nii\.gz and Liver\.nii\.gz beside it differ in capitals alone"
    ):
        read_labels(tmp_path)


def test_a_changed_structure_is_another_label(tmp_path):
    from ContrastiveSegLib.file_io.structure_files import label_files
    from ContrastiveSegLib.preprocessing.array_store import stem_of

    _case(tmp_path / "P1", {"liver": _box(1, 2), "spleen": _box(3, 4)})
    case = find_cases(tmp_path).cases[0]
    before = stem_of(case, label_files(case.labels))

    write_labels(
        case.labels / "spleen.nii.gz",
        read_labels(case.labels / "liver.nii.gz").volume,
        LabelTable((Structure(1, "spleen", (1, 0, 0)),)),
        overwrite=True,
    )

    assert stem_of(case, label_files(case.labels)) != before


def test_why_a_folder_is_not_read_as_structures_is_said(tmp_path):
    _case(tmp_path / "P1", {"liver": _box(1, 2), "P2": _box(3, 4)})
    _case(tmp_path / "P2", {"liver": _box(1, 2), "spleen": _box(3, 4)})
    _write(tmp_path / "P2" / "segmentations" / "liver.nrrd", _box(1, 2))

    reasons = {out.path.relative_to(tmp_path).as_posix(): out.reason for out in find_cases(tmp_path).left_out}

    assert "P2 could be the name of a case" in reasons["P1/segmentations/liver.nii.gz"]
    assert "liver is there twice" in reasons["P2/segmentations/spleen.nii.gz"]
