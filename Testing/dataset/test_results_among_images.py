"""What the program wrote among the images is no annotation, and labels in labels/ win; both is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.file_io.label_digest import digest_of_labels
from ContrastiveSegLib.file_io.provenance import Mark

MARK = Mark("predict", 1)


@pytest.fixture
def put(tmp_path, a_volume, a_label_map, a_label_table):
    """Write an image, labels, or a marked result under a name."""

    def write(name: str, *, mark: Mark | None = None) -> Path:
        path = tmp_path / name
        is_image = not mark and "seg" not in name and "label" not in name
        if is_image:
            write_image(path, a_volume)
        else:
            write_labels(path, a_label_map, a_label_table, mark=mark)
        return path

    return write


def _reasons(folder: Path) -> dict[str, str]:
    return {out.path.relative_to(folder).as_posix(): out.reason for out in find_cases(folder).left_out}


@pytest.mark.parametrize(
    "name", ["case1.seg.nrrd", "case1-label.nii.gz", "case1_seg.mha", "case1_result.nii.gz"]
)
@pytest.mark.parametrize("kind", ["predict", "refine", "propagate"])
def test_a_result_beside_its_image_is_no_annotation(tmp_path, put, name, kind):
    put("case1.nii.gz")
    put(name, mark=Mark(kind, 1 if kind == "predict" else 0))

    (case,) = find_cases(tmp_path).cases

    assert case.name == "case1"
    assert case.labels is None
    (reason,) = _reasons(tmp_path).values()
    assert "holds 1 results that nobody changed" in reason
    assert f"which are no annotations: {name}; correct them, or save what is right" in reason


def test_a_corrected_result_is_an_annotation(tmp_path, put):
    put("case1.nii.gz")
    path = put("case1.seg.nrrd", mark=MARK)
    image = sitk.ReadImage(str(path))
    image[0, 0, 0] = 2
    sitk.WriteImage(image, str(path), useCompression=True)
    assert "ContrastiveSeg" in sitk.ReadImage(str(path)).GetMetaDataKeys()

    (case,) = find_cases(tmp_path).cases

    assert case.labels == path


@pytest.fixture
def summed_up(tmp_path, a_label_map):
    """What `predict` leaves beside a prediction of case1, apart from the prediction."""
    entry = {
        "case": "case1",
        "image": [str(tmp_path / "case1.nii.gz")],
        "round": 2,
        "labels_sha256": digest_of_labels(a_label_map.array),
    }
    (tmp_path / "summary.json").write_text(json.dumps({"program": "ContrastiveSeg", "cases": [entry]}))


@pytest.mark.parametrize("name", ["case1.seg.nrrd", "case1_seg.nii.gz", "case1-label.mha", "resaved.nii.gz"])
@pytest.mark.parametrize("kind", [sitk.sitkUInt8, sitk.sitkFloat32])
@pytest.mark.usefixtures("summed_up")
def test_a_prediction_that_another_program_saved_is_no_annotation(tmp_path, put, name, kind):
    image = sitk.Cast(sitk.ReadImage(str(put("seg.nrrd"))), kind)
    (tmp_path / "seg.nrrd").unlink()
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    sitk.WriteImage(image, str(tmp_path / name))
    put("case1.nii.gz")

    (case,) = find_cases(tmp_path).cases

    assert (case.images, case.labels) == ((tmp_path / "case1.nii.gz",), None)
    (reason,) = {r for path, r in _reasons(tmp_path).items() if path != "summary.json"}
    assert "(predicted by round 2, then saved again without a change)" in reason

    image[tuple(n // 2 for n in image.GetSize())] = 2
    sitk.WriteImage(image, str(tmp_path / "case1_label.nii.gz"))
    assert find_cases(tmp_path).cases[0].labels == tmp_path / "case1_label.nii.gz"


@pytest.mark.usefixtures("summed_up")
def test_a_prediction_that_is_right_becomes_an_annotation_in_another_folder(tmp_path, put):
    put("case1.nii.gz")
    (tmp_path / "labels").mkdir()
    put("labels/case1_seg.nii.gz")

    (case,) = find_cases(tmp_path).cases

    assert case.labels == tmp_path / "labels" / "case1_seg.nii.gz"


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"program": "ContrastiveSeg"}', '{"program": "ContrastiveSeg", "cases": [3]}', "[" * 9999],
)
def test_a_summary_that_says_nothing_of_labels_changes_nothing(tmp_path, put, text):
    put("case1.nii.gz")
    labels = put("case1_seg.nii.gz")
    (tmp_path / "summary.json").write_text(text)

    assert find_cases(tmp_path).cases[0].labels == labels


def test_labels_in_their_own_folder_win_over_labels_among_the_images(tmp_path, put):
    put("images/case1.nii.gz")
    put("images/case1.seg.nrrd")  # of an earlier version, without a mark
    own = put("labels/label_case1.nii.gz")

    (case,) = find_cases(tmp_path).cases

    assert case.labels == own
    assert _reasons(tmp_path) == {"images/case1.seg.nrrd": f"labels of a case that has {own} already"}


def test_results_in_a_folder_below_the_images_are_neither_images_nor_labels(tmp_path, put):
    put("case1.nii.gz")
    put("out/case1.nii.gz", mark=MARK)
    put("out/case1_uncertainty.nii.gz", mark=Mark("uncertainty", 1))
    put("out/renamed.nrrd", mark=Mark("uncertainty", 1))

    (case,) = find_cases(tmp_path).cases

    assert (case.images, case.labels) == ((tmp_path / "case1.nii.gz",), None)
    assert set(_reasons(tmp_path)) == {"out", "out/case1_uncertainty.nii.gz", "out/renamed.nrrd"}


def test_results_count_where_they_are_asked_for(tmp_path, put):
    put("images/case1.nii.gz")
    (tmp_path / "labels").mkdir()
    path = put("labels/case1.seg.nrrd", mark=Mark("propagate"))

    (further,) = find_cases(tmp_path, results=True).cases
    (predicted,) = find_cases(tmp_path / "labels", labels_only=True).cases

    assert further.labels == predicted.labels == path
