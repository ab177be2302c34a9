"""Images of one patient are known as such, by name or folder, so that no split tears them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.dataset.cases import CaseList, find_cases
from ContrastiveSegLib.dataset.patient_words import is_part_of_patient, shortened, tells_many_apart
from ContrastiveSegLib.errors import BadSetting


def found_in(folder: Path, names: str, **asked: str) -> CaseList:
    """Empty files: patients are known by names alone."""
    for name in names.split():
        path = folder / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return find_cases(folder, **asked)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("patient001_frame12", "patient001"),
        ("P7_ses-02_t1", "P7"),
        ("case3-phase4", "case3"),
        ("patient9_ED", "patient9"),
        ("hippocampus_001", "hippocampus_001"),
        ("image_001", "image_001"),
        ("frame01", "frame01"),
        ("red", "red"),
        ("UCSF_0041_FLAIR", "UCSF_0041"),
        ("case_12_t1ce", "case_12"),
        ("p4_b1000", "p4"),
        ("p4_DWI_b0", "p4"),
        ("P3 T1 post", "P3"),
        ("kidney_17_portal_venous", "kidney_17"),
        ("kidney_17_arterial_phase", "kidney_17"),
        ("MR_17", "17"),
        ("pet_017", "017"),
        ("IXI002-Guys-0828-T1", "IXI002-Guys-0828"),
        ("X12-left", "X12"),
        ("P2_dixon_w", "P2"),
        ("P5_20210305", "P5"),
        ("P5_scan2", "P5"),
        ("scan_2", "scan_2"),
        ("lung_ct_002", "lung_ct_002"),
        ("BraTS-GLI-00003-001-t2f", "BraTS-GLI-00003"),
        ("UPENN-GBM-00011_21_T1GD", "UPENN-GBM-00011"),
        ("UCSF-PDGM-0004_T1gad", "UCSF-PDGM-0004"),
        ("ProstateX-0001-t2_tse_tra", "ProstateX-0001"),
        ("case1-PVP", "case1"),
        ("liver_4_delay", "liver_4"),
        ("brain7_T1+C", "brain7"),
        ("ES_017", "017"),
        ("tp2_017", "017"),
        ("2021-03-05_017", "017"),
        ("flair", ""),
        ("t1_post", ""),
    ],
)
def test_what_follows_the_patient_is_taken_off(name: str, patient: str) -> None:
    assert shortened(name) == patient


@pytest.mark.parametrize("folder", ["T1", "ses-02", "2021-03-05", "SE0", "STD00001", "PET CT", "anat"])
def test_a_folder_may_be_a_part_of_a_patient(folder: str) -> None:
    assert is_part_of_patient(folder)
    assert not tells_many_apart(folder)


@pytest.mark.parametrize("folder", ["fold3", "siteA", "train", "batch_02", "center 4"])
def test_a_folder_may_hold_many_patients(folder: str) -> None:
    assert tells_many_apart(folder)
    assert not is_part_of_patient(folder)


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        ("BraTS_7_flair BraTS_7_t1c BraTS_8_flair BraTS_8_t2w", "BraTS_7 BraTS_7 BraTS_8 BraTS_8"),
        ("flair_001 t1_001 t1_002", "001 001 002"),
        ("ProstateX-0001_adc ProstateX-0001_hbv", "ProstateX-0001 ProstateX-0001"),
        ("pat1-CBF pat1-rCBV pat1-Tmax pat2-MTT pat2-FA", "pat1 pat1 pat1 pat2 pat2"),
        ("001_CTres 001_SUV 002_CT 002_TOF", "001 001 002 002"),
        ("anna/pre anna/post bob/pre", "anna anna bob"),
        ("P1/one P1/two P2/three", "P1 P1 P2"),
        ("P1/ses-1/t1 P1/ses-2/t1 P2/ses-1/t2", "P1 P1 P2"),
        ("P1/MR/a P1/CT/b P2/MR/c", "P1 P1 P2"),
        ("hospitalA/P1/ct hospitalA/P1/pet hospitalB/P1/ct", "hospitalA_P1 hospitalA_P1 hospitalB_P1"),
        ("images/P1/a images/P1/b images/P2/a", "P1 P1 P2"),
        ("CT/001 PET/001 CT/002", "001 001 002"),
        ("fold1/001 fold1/002 fold2/003", "001 002 003"),
        ("liver/patient_1 liver/patient_2 spleen/patient_3", "patient_1 patient_2 patient_3"),
        ("P1/P1_frame01 P1/P1_frame02 P2/P2_frame01", "P1 P1 P2"),
        ("K1_bone K1_soft K2_bone K2_soft", "K1 K1 K2 K2"),
        ("K1-B30f K1-B70f K2-B30f K2-B70f K2", "K1 K1 K2 K2 K2"),
        ("K1_t2_odd K1_t1 K2_t2_odd", "K1 K1 K2_t2_odd"),
        ("ward1_p1 ward1_p2 ward2_p1 ward2_p2", "ward1_p1 ward1_p2 ward2_p1 ward2_p2"),
        ("ward1_smith ward1_jones ward2_miller", "ward1_smith ward1_jones ward2_miller"),
        ("data/a1 data/a2", "a1 a2"),  # one folder for all says nothing
        ("sub-11/anat/T1w sub-11/anat/T2w sub-12/anat/T1w", "sub-11 sub-11 sub-12"),
        ("sub-04_ses-1_T2w sub-04_ses-2_T2w", "sub-04 sub-04"),
    ],
)
def test_images_of_one_patient_have_one_patient(tmp_path: Path, names: str, patients: str) -> None:
    found = {case.images[0]: case.patient for case in found_in(tmp_path, names).cases}

    assert [found[tmp_path / f"{name}.nii.gz"] for name in names.split()] == patients.split()


def test_a_folder_of_very_many_images_is_not_one_patient(tmp_path: Path) -> None:
    names = " ".join(f"{place}/{number:03d}" for place in ("here", "there") for number in range(30))

    assert len({case.patient for case in found_in(tmp_path, names).cases}) == 60


def test_names_that_differ_in_the_last_word_are_remarked_on(tmp_path: Path) -> None:
    for folder, names in {"one": "P7_t1 P7_xy9 P8_t1", "two": "P7_adc P7_odd"}.items():
        (note,) = found_in(tmp_path / folder, names).notes
        assert note.startswith(f"P7 and {names.split()[1]} count as two patients, although")

    (note,) = found_in(tmp_path / "three", "X1_hip X1_knee X2_knee").notes

    assert note.startswith("X1_hip and X1_knee count as two patients, although")
    assert "--patient-pattern" in note


def test_names_that_differ_in_a_word_of_several_patients_are_remarked_on(tmp_path: Path) -> None:
    (joined,) = found_in(tmp_path / "last", "K1_bone K1_soft K2_bone K2_soft").notes
    (apart,) = found_in(tmp_path / "first", "bone_01 soft_01 bone_02 lung_03").notes

    assert joined.startswith(
        "K1_bone counts as an image of K1, because its last word follows other names, too"
    )
    assert "(4 such names). If that is wrong, --patient-pattern" in joined
    assert apart.startswith(
        "bone_01 and soft_01 count as two patients, although their names differ in the first"
    )


def test_names_that_differ_in_capitals_alone_are_remarked_on(tmp_path: Path) -> None:
    for name in ("Anna/t1.nrrd", "anna/t2.nrrd", "berta/t1.nrrd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    (note,) = find_cases(tmp_path).notes

    assert note.startswith("Anna and anna count as 2 patients, although their names differ in capitals alone")


def test_one_patient_alone_is_remarked_on(tmp_path: Path) -> None:
    (note,) = found_in(tmp_path, "smith_t1 smith_t2").notes

    assert note.startswith("All 2 cases count as images of one patient (smith)")


def test_whoever_says_which_part_is_the_patient_is_not_asked_again(tmp_path: Path) -> None:
    found = found_in(tmp_path, "X1_hip X1_knee", patient_pattern=r"(X\d)")

    assert found.notes == ()
    assert {case.patient for case in found.cases} == {"X1"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is no regular expression"),
        ("X", "has 0 groups, expected one"),
        ("(a)(b)", "has 2 groups, expected one"),
        (r"(Y\d+)", "finds no patient in the case name 'X12'"),
    ],
)
def test_a_patient_pattern_that_cannot_work_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(BadSetting, match=f"patient_pattern .* {message}"):
        found_in(tmp_path, "X12", patient_pattern=pattern)
