"""DICOM SEG files of highdicom are the labels of the series they name: same voxels, names, colors, terms."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_segmentation import read_segmentation
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.labels import LabelTable, Structure

hd = pytest.importorskip("highdicom", reason="highdicom, of the extra [dicom], is not installed")
pydicom = pytest.importorskip("pydicom")

SHAPE = (5, 7, 6)
OBLIQUE = ("0.8\\0\\0.6\\0\\1\\0", (-0.6, 0.0, 0.8))
LIVER = pydicom.sr.coding.Code("10200004", "SCT", "Liver")
SPLEEN = pydicom.sr.coding.Code("78961009", "SCT", "Spleen")
ORGAN = pydicom.sr.coding.Code("123037004", "SCT", "Anatomical Structure")


def write_series(folder: Path, number: int = 1, *, height: float = 1.5) -> list:
    """An oblique MR series of five slices, with pixels of this height; its data sets."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, normal = OBLIQUE
    uid = f"1.2.826.0.1.3680043.2.1125.{number}"
    for k in range(SHAPE[0]):
        image = sitk.GetImageFromArray(np.arange(42, dtype=np.int16).reshape(1, 7, 6) + k)
        place = np.array([10.0, -20.0, 30.0]) + 3.0 * k * np.array(normal)
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4", "0008|0060": "MR", "0008|0018": f"{uid}.{k + 1}",
            "0010|0020": "P1", "0010|0010": "Doe^Jane", "0020|000d": "1.2.826.0.1.3680043.2.1125.99",
            "0020|000e": uid, "0020|0052": "1.2.826.0.1.3680043.2.1125.98", "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{n:.4f}" for n in place), "0020|0037": rows, "0018|0050": "3",
        }  # fmt: skip
        for key, value in tags.items():
            image.SetMetaData(key, value)
        image.SetSpacing((1.25, height, 3.0))
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(str(folder / f"slice_{k}.dcm"))
        writer.Execute(image)
    return [pydicom.dcmread(file) for file in sorted(folder.glob("slice_*.dcm"))]


def _segment(number: int, label: str, kind, color=None):
    return hd.seg.SegmentDescription(
        number, label, ORGAN, kind, hd.seg.SegmentAlgorithmTypeValues.MANUAL, display_color=color
    )


def _write_seg(file: Path, sources: list, masks: np.ndarray, segments: list, **options) -> None:
    """Masks (K, H, W, S), or a label map (K, H, W)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = options.pop("kind", "BINARY")
    hd.seg.Segmentation(
        source_images=sources, pixel_array=masks, segmentation_type=kind, segment_descriptions=segments,
        series_instance_uid=hd.UID(), series_number=20, sop_instance_uid=hd.UID(), instance_number=1,
        manufacturer="M", manufacturer_model_name="M", software_versions="1", device_serial_number="1",
        **options,
    ).save_as(file)  # fmt: skip


@pytest.fixture
def two_masks() -> np.ndarray:
    masks = np.zeros((*SHAPE, 2), np.uint8)
    masks[1:3, 2:5, 1:4, 0] = 1
    masks[2:4, 4:6, 3:5, 1] = 1
    return masks


def _two_segments() -> list:
    red = hd.color.CIELabColor(53.24, 80.09, 67.2)
    return [_segment(1, "liver", LIVER, red), _segment(2, "spleen", SPLEEN)]


@pytest.mark.parametrize("place", ["exam/mr", "exam/seg", "elsewhere/x"])
def test_a_segmentation_is_found_by_the_series_it_names_and_lies_on_its_voxels(tmp_path, two_masks, place):
    write_series(tmp_path / "exam" / "other", 2)
    sources = write_series(tmp_path / "exam" / "mr", 1)
    _write_seg(tmp_path / place / "labels.dcm", sources, two_masks, _two_segments())

    found = find_cases(tmp_path)

    assert {case.name: bool(case.labels) for case in found.cases} == {"mr": True, "other": False}
    assert found.left_out == ()
    case = next(case for case in found.cases if case.labels)
    read, image = read_labels(case.labels), read_image(case.images)
    placed = labels_on_grid(read.volume, image.volume.geometry, name="mr").volume.array
    later_wins = np.where(two_masks[..., 1] > 0, 2, two_masks[..., 0])
    np.testing.assert_array_equal(placed, later_wins)
    assert read.table.names == ("liver", "spleen")
    assert read.table.structures[0].color == pytest.approx((1, 0, 0), abs=0.01)
    assert "~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~" in read.table.structures[0].terminology
    assert read.notes == (
        "labels.dcm: 1 voxels belong to more than one structure (liver, spleen); each went to the one that "
        "comes later.",
    )


@pytest.mark.parametrize("is_image_known", [True, False])
@pytest.mark.parametrize("drawn", [[1, 3], [1, 4], [2]])
def test_slices_that_a_file_leaves_out_stay_empty_where_it_does_not_say_how_far_slices_are_apart(
    tmp_path, drawn, is_image_known
):
    sources = write_series(tmp_path, 1)
    mask = np.zeros((*SHAPE, 1), np.uint8)
    mask[drawn, 2:5, 1:4] = 1
    file = tmp_path / "seg" / "a.dcm"
    _write_seg(file, sources, mask, _two_segments()[:1])
    found = pydicom.dcmread(file)
    del found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
    found.save_as(file)
    (case,) = find_cases(tmp_path).cases

    read = read_labels(file, image=case.images if is_image_known else ())

    placed = labels_on_grid(read.volume, read_image(case.images).volume.geometry, name="mr")
    np.testing.assert_array_equal(placed.volume.array, mask[..., 0])
    assert placed.notes == ()


def test_a_segment_called_background_is_painted_background(tmp_path, two_masks):
    sources = write_series(tmp_path, 1)
    segments = [_segment(1, "liver", LIVER), _segment(2, "background", SPLEEN)]
    _write_seg(tmp_path / "seg" / "a.dcm", sources, two_masks, segments)

    read = read_labels(tmp_path / "seg" / "a.dcm")

    assert read.table.names == ("liver",)
    assert read.background.sum() == two_masks[..., 1].sum()


def test_labels_of_a_series_that_two_patients_share_belong_to_neither(tmp_path, two_masks):
    sources = write_series(tmp_path / "p1", 1)
    write_series(tmp_path / "p2", 1)
    _write_seg(tmp_path / "p1" / "a.dcm", sources, two_masks, _two_segments())

    found = find_cases(tmp_path)

    assert [case.labels for case in found.cases] == [None, None]
    assert "a DICOM series that is here more than once (p1 and p2)" in found.left_out[0].reason


def test_a_label_map_is_read_like_binary_segments(tmp_path, two_masks):
    sources = write_series(tmp_path, 1)
    labels = np.where(two_masks[..., 1] > 0, 2, two_masks[..., 0]).astype(np.uint8)
    _write_seg(tmp_path / "seg" / "a.dcm", sources, labels, _two_segments(), kind="LABELMAP")

    (case,) = find_cases(tmp_path).cases

    read, image = read_labels(case.labels), read_image(case.images)
    placed = labels_on_grid(read.volume, image.volume.geometry, name="mr").volume.array
    np.testing.assert_array_equal(placed, labels)
    assert read.notes == ()


def test_values_are_those_of_the_expected_structures(tmp_path, two_masks):
    sources = write_series(tmp_path, 1)
    _write_seg(tmp_path / "a_seg.dcm", sources, two_masks[..., :1], _two_segments()[:1])
    table = LabelTable((Structure(9, "Liver", (0, 1, 0)),))

    assert set(np.unique(read_labels(tmp_path / "a_seg.dcm", table).volume.array)) == {0, 9}
    with pytest.raises(BadFile, match="structures that the label table lacks: liver"):
        read_labels(tmp_path / "a_seg.dcm", LabelTable((Structure(1, "spleen", (0, 1, 0)),)))


def test_a_second_segmentation_and_one_of_another_series_are_left_out_with_the_reason(tmp_path, two_masks):
    sources = write_series(tmp_path / "mr", 1)
    away = write_series(tmp_path.parent / f"{tmp_path.name}_away", 7)
    for name, of in {"a.dcm": sources, "b.dcm": sources, "c.dcm": away}.items():
        _write_seg(tmp_path / name.partition(".")[0] / name, of, two_masks, _two_segments())

    found = find_cases(tmp_path)

    reasons = {out.path.name: out.reason for out in found.left_out}
    assert found.cases[0].labels == tmp_path / "a" / "a.dcm"
    assert reasons["b.dcm"] == f"labels of a case that has {tmp_path / 'a' / 'a.dcm'} already"
    assert reasons["c.dcm"] == "labels of a DICOM series that is not in this folder"


def test_probabilities_damaged_files_and_a_missing_package_are_a_sentence(tmp_path, two_masks, monkeypatch):
    sources = write_series(tmp_path, 1)
    whole, soft, torn = (tmp_path / f"{name}.dcm" for name in ("whole", "soft", "torn"))
    _write_seg(whole, sources, two_masks, _two_segments())
    _write_seg(soft, sources, two_masks * 0.5, _two_segments(), kind="FRACTIONAL")
    torn.write_bytes(whole.read_bytes()[:-400])

    with pytest.raises(BadFile, match="holds probabilities of structures"):
        read_labels(soft)
    with pytest.raises(BadFile, match=r"torn\.dcm"):
        read_labels(torn)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(BadFile, match=r"pip install 'contrastiveseg\[dicom\]'"):
        read_segmentation(whole)
