"""Label files as Slicer, nnU-Net and nibabel leave them: empty, cropped, ignoring, scaled."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.annotations import annotated_voxels, read_annotation_mask
from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.file_io.files import read_geometry, read_labels, write_image, write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe, collect_table, prepare_cases

TABLE = LabelTable((Structure(1, "liver", (1.0, 0.0, 0.0)), Structure(2, "spleen", (0.0, 1.0, 0.0))))


def prepared(case: Case, folder: Path, table: LabelTable = TABLE) -> Outcome:
    recipe = Recipe(WorkingGrid("axial", 1.0, 0.0, (16, 16)), Intensities(), table)
    return prepare_cases([case], folder / "prepared", recipe)[0]


@pytest.fixture
def an_empty_segmentation() -> Callable[..., None]:
    """A maker of what Slicer saves before anything is drawn: one voxel, whose place means nothing."""

    def write(path: Path, *names: str) -> None:
        image = sitk.Image([1, 1, 1], sitk.sitkUInt8)
        image.SetOrigin((500.0, -3.0, 1e4))
        image.SetMetaData("Segmentation_ContainedRepresentationNames", "Binary labelmap|")
        for number, name in enumerate(names):
            for key, value in (
                ("ID", f"S{number}"),
                ("Name", name),
                ("LabelValue", str(number + 1)),
                ("Layer", "0"),
            ):
                image.SetMetaData(f"Segment{number}_{key}", value)
        sitk.WriteImage(image, str(path))

    return write


@pytest.mark.parametrize("names", [(), ("liver",), ("liver", "spleen"), ("background",)])
def test_a_segmentation_in_which_nothing_was_drawn_is_called_so(
    tmp_path, any_volume, an_empty_segmentation, names
):
    write_image(tmp_path / "a.nrrd", any_volume)
    an_empty_segmentation(tmp_path / "a.seg.nrrd", *names)
    (case,) = find_cases(tmp_path).cases

    marks = read_annotation_mask(case.labels, case, TABLE, read_geometry(case.images), plane="axial")

    assert marks.nothing_drawn
    assert read_labels(case.labels).nothing_drawn
    with pytest.raises(BadFile, match="Nothing is drawn in it"):
        annotated_voxels(marks, "auto")
    assert prepared(case, tmp_path).reason.startswith(f"{case.labels}: Nothing is drawn in it.")


def test_a_segment_of_background_alone_is_known_background(tmp_path, any_volume):
    write_image(tmp_path / "a.nrrd", any_volume)
    painted = np.zeros(any_volume.geometry.shape, np.int16)
    painted[3, 2:6, 3:7] = 1
    only = LabelTable((Structure(1, "Background", (0.0, 0.0, 0.0)),))
    write_labels(tmp_path / "a.seg.nrrd", Volume(painted, any_volume.geometry), only)
    (case,) = find_cases(tmp_path).cases

    outcome = prepared(case, tmp_path)

    assert read_labels(case.labels).table.structures == ()
    assert outcome.annotation.kind == "scribbles"
    assert outcome.annotation.classes == (0,)
    assert set(np.unique(outcome.prepared.labels)) == {IGNORE_LABEL, 0}


def test_a_segmentation_cropped_to_its_extent_lies_where_it_was_drawn(tmp_path, any_volume, a_label_map):
    whole = Volume(a_label_map.array, any_volume.geometry)
    write_image(tmp_path / "a.nrrd", any_volume)
    write_labels(tmp_path / "whole.seg.nrrd", whole, TABLE)
    drawn = np.argwhere(whole.array)
    low, high = drawn.min(0)[::-1].tolist(), (drawn.max(0) + 1)[::-1].tolist()
    image = sitk.ReadImage(str(tmp_path / "whole.seg.nrrd"))
    cropped = sitk.RegionOfInterest(image, [b - a for a, b in zip(low, high, strict=True)], low)
    sitk.WriteImage(cropped, str(tmp_path / "a.seg.nrrd"))
    case = Case("a", (tmp_path / "a.nrrd",), tmp_path / "a.seg.nrrd", patient="a")

    marks = read_annotation_mask(case.labels, case, TABLE, any_volume.geometry, plane="axial")

    np.testing.assert_array_equal(np.maximum(marks.volume.array - 1, 0), whole.array)
    assert marks.notes == ()


def nnunet_folder(folder: Path, image: Volume, labels: np.ndarray) -> Case:
    (folder / "imagesTr").mkdir()
    (folder / "labelsTr").mkdir()
    write_image(folder / "imagesTr" / "x_0000.nii.gz", image)
    label_map = Volume(labels.astype(np.uint8), image.geometry)
    sitk.WriteImage(label_map.to_sitk(), str(folder / "labelsTr" / "x.nii.gz"))
    content = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "spleen": 2, "ignore": 3},
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    (case,) = find_cases(folder).cases
    return case


def test_what_nnunet_ignores_is_unknown_and_the_rest_is_known(tmp_path, a_volume, a_label_map):
    labels = a_label_map.array.copy()
    labels[:, :4] = 3
    case = nnunet_folder(tmp_path, a_volume, labels)

    table = find_cases(tmp_path).table
    marks = read_annotation_mask(case.labels, case, table, a_volume.geometry, plane="axial")
    known, annotation = annotated_voxels(marks, "auto")

    assert table.names == ("liver", "spleen")
    np.testing.assert_array_equal(known.array - 1, np.where(labels == 3, IGNORE_LABEL, labels))
    assert annotation.kind == "cases"
    assert annotation.describe() == f"{(labels != 3).mean():.1%} of the voxels, the rest is ignored"
    assert (np.asarray(prepared(case, tmp_path).prepared.labels) == IGNORE_LABEL).mean() > 0.2


def test_slices_that_are_ignored_as_a_whole_leave_annotated_slices(tmp_path, a_volume, a_label_map):
    labels = np.where(np.isin(np.arange(9), [2, 3, 7])[:, None, None], a_label_map.array, 3)
    case = nnunet_folder(tmp_path, a_volume, labels)

    marks = read_annotation_mask(case.labels, case, TABLE, a_volume.geometry, plane="axial")
    known, annotation = annotated_voxels(marks, "auto")

    assert annotation.describe() == "3 of 9 slices"
    np.testing.assert_array_equal(known.array - 1, np.where(labels == 3, IGNORE_LABEL, labels))


def test_where_little_is_not_ignored_it_is_scribbles(tmp_path, a_volume, a_label_map):
    labels = np.full(a_label_map.array.shape, 3)
    labels[2:6, 5, 2:9] = a_label_map.array[2:6, 5, 2:9]
    case = nnunet_folder(tmp_path, a_volume, labels)

    marks = read_annotation_mask(case.labels, case, TABLE, a_volume.geometry, plane="axial")
    known, annotation = annotated_voxels(marks, "auto")

    assert annotation.kind == "scribbles"
    np.testing.assert_array_equal(known.array - 1, np.where(labels == 3, IGNORE_LABEL, labels))


IGNORING = LabelTable((*TABLE.structures, Structure(3, "Ignore", (0.0, 0.0, 1.0))))


def test_a_segment_called_ignore_is_unknown_and_no_structure(tmp_path, a_volume, a_label_map):
    labels = a_label_map.array.copy()
    labels[:, :4] = 3
    write_image(tmp_path / "a.nrrd", a_volume)
    write_labels(tmp_path / "a.seg.nrrd", Volume(labels, a_volume.geometry), IGNORING)
    (case,) = find_cases(tmp_path).cases

    read = read_labels(case.labels)
    marks = read_annotation_mask(case.labels, case, TABLE, a_volume.geometry, plane="axial")
    known, annotation = annotated_voxels(marks, "auto")

    assert read.table == TABLE == collect_table([case])
    assert read.notes == (f"a.seg.nrrd: {(labels == 3).sum()} voxels are called 'ignore' and say nothing.",)
    np.testing.assert_array_equal(known.array - 1, np.where(labels == 3, IGNORE_LABEL, labels))
    assert annotation.describe() == f"{(labels != 3).mean():.1%} of the voxels, the rest is ignored"
    assert "'ignore'" in prepared(case, tmp_path).notes[-1]


def test_slices_that_nobody_painted_stay_unknown_beside_a_segment_called_ignore(
    tmp_path, a_volume, a_label_map
):
    labels = np.where(np.isin(np.arange(9), [3, 6])[:, None, None], a_label_map.array, 0)
    labels[3, :2], labels[1, :2] = 3, 3
    write_image(tmp_path / "a.nrrd", a_volume)
    write_labels(tmp_path / "a.seg.nrrd", Volume(labels, a_volume.geometry), IGNORING)
    (case,) = find_cases(tmp_path).cases

    marks = read_annotation_mask(case.labels, case, TABLE, a_volume.geometry, plane="axial")
    known, annotation = annotated_voxels(marks, "auto")

    assert (annotation.kind, annotation.slices) == ("slices", 2)
    assert sorted(set(np.nonzero(known.array)[0])) == [3, 6]
    assert not known.array[3, :2].any()
    assert known.array[3, 2:].all()


def test_names_beside_a_label_map_may_say_ignore(tmp_path, a_label_map):
    labels = a_label_map.array.copy()
    labels[:, :4] = 3
    path = tmp_path / "sub-1_dseg.nii.gz"
    sitk.WriteImage(Volume(labels, a_label_map.geometry).to_sitk(), str(path))
    (tmp_path / "sub-1_dseg.tsv").write_text("index\tname\n1\tliver\n2\tspleen\n3\tignore\n")

    read = read_labels(path)

    assert read.table.names == ("liver", "spleen")
    np.testing.assert_array_equal(read.unknown, labels == 3)


def scaled(path: Path, stored: np.ndarray, slope: float) -> Path:
    """A NIfTI file with whole numbers that its header multiplies, as nibabel writes floating point arrays."""
    sitk.WriteImage(sitk.GetImageFromArray(stored), str(path))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<2f", raw, 112, slope, 0.0)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(("dtype", "largest"), [(np.int16, 32767), (np.uint8, 255)])
def test_labels_that_went_through_a_scale_factor_are_whole_again(tmp_path, dtype, largest):
    labels = np.random.default_rng(0).choice([0, 1, 2, 3, 7, 11], (4, 5, 6))
    slope = float(np.float32(11 / largest))
    path = scaled(tmp_path / "a.nii", np.round(labels / slope).astype(dtype), slope)

    read = read_labels(path)

    np.testing.assert_array_equal(read.volume.array, labels)
    assert "were rounded" in " ".join(read.notes)


def test_where_no_label_file_can_be_read_the_reasons_are_given(tmp_path, a_volume):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for name, values in {"a": np.full((9, 12, 14), -1, np.int16), "b": np.full((9, 12, 14), 0.5)}.items():
        write_image(tmp_path / "images" / f"{name}.nrrd", a_volume)
        sitk.WriteImage(
            Volume(values, a_volume.geometry).to_sitk(), str(tmp_path / "labels" / f"{name}.nrrd")
        )

    with pytest.raises(
        BadFolder, match=r"2 of 2 label files cannot be used\. .*label value -1.*fractional label values"
    ):
        collect_table(find_cases(tmp_path).cases)


def test_moved_labels_are_said_of_the_case(tmp_path, a_volume, a_label_map):
    write_image(tmp_path / "a.nrrd", a_volume)
    part = Volume(
        a_label_map.array[:, :, :10],
        a_volume.geometry.__class__.from_lists(
            (10, 12, 9),
            a_volume.geometry.spacing,
            a_volume.geometry.index_to_physical((6, 0, 0)),
            a_volume.geometry.direction,
        ),
    )
    write_labels(tmp_path / "a.seg.nrrd", part, TABLE)
    (case,) = find_cases(tmp_path).cases

    outcome = prepared(case, tmp_path)

    lost = int((part.array[:, :, 8:] > 0).sum())
    assert (
        f"{lost} of {(part.array > 0).sum()} labeled voxels lie outside of the image and are lost."
        in outcome.notes
    )


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"])
def test_an_empty_file_is_called_empty(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"labels{suffix}"
    path.touch()

    with pytest.raises(BadFile, match="is empty: it has zero bytes"):
        read_labels(path)
