"""What the program made is known by its mark, in every format, until a person changes or saves it again."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.file_io.files import read_labels, write_image, write_labels
from ContrastiveSegLib.file_io.provenance import Mark, Provenance, provenance_of
from ContrastiveSegLib.imaging.volume import Volume

MARK = Mark("predict", 12, "0123abcd", "0123456789", "89abcdef")
SUFFIXES = (".seg.nrrd", ".nrrd", ".mha", ".nii", ".nii.gz")


@pytest.fixture(params=SUFFIXES)
def a_result(request, tmp_path, a_label_map, a_label_table) -> Path:
    """Marked labels in each of the formats."""
    path = tmp_path / f"case1{request.param}"
    write_labels(path, a_label_map, a_label_table, mark=MARK)
    return path


def test_a_result_says_what_it_was_made_from(a_result, a_label_map, a_label_table):
    assert provenance_of(a_result) == Provenance(MARK, is_unchanged=True)
    assert MARK.describe() == "predicted by round 12"
    back = read_labels(a_result)
    assert np.array_equal(back.volume.array, a_label_map.array)
    assert back.volume.geometry.matches(a_label_map.geometry)
    if a_result.name.endswith(".nrrd"):
        assert back.table == a_label_table


def test_the_mark_fits_into_a_nifti_header_whatever_it_says(tmp_path, a_label_map, a_label_table):
    longest = Mark("uncertainty", 9999, "f" * 8, "f" * 10, "f" * 8)
    write_labels(tmp_path / "a.nii.gz", a_label_map, a_label_table, mark=longest)

    assert len(longest.text) <= 79  # 80 with the zero that ends it
    assert provenance_of(tmp_path / "a.nii.gz") == Provenance(longest, is_unchanged=True)


def test_one_corrected_voxel_makes_it_somebody_elses(a_result):
    """The mark itself is still there, as in a program that keeps entries it does not know."""
    _save_again(a_result, change=True)

    assert provenance_of(a_result) == Provenance(MARK, is_unchanged=False)


def test_saving_it_again_in_a_program_that_writes_its_own_header_makes_it_an_annotation(
    tmp_path, a_label_map, a_label_table
):
    path = tmp_path / "case1.seg.nrrd"
    write_labels(path, a_label_map, a_label_table, mark=MARK)
    text = path.read_bytes()
    path.write_bytes(text.replace(b"Segment0_Extent:=0 13 0 11 0 8", b"Segment0_Extent:=1 12 0 11 0 8"))

    assert path.read_bytes() != text
    assert provenance_of(path) == Provenance(MARK, is_unchanged=False)


def test_a_copy_that_is_compressed_in_another_way_is_still_a_result(tmp_path, a_label_map, a_label_table):
    source = tmp_path / "case1.nii.gz"
    write_labels(source, a_label_map, a_label_table, mark=MARK)
    (tmp_path / "renamed.nii").write_bytes(gzip.decompress(source.read_bytes()))
    (tmp_path / "other.nii.gz").write_bytes(gzip.compress(gzip.decompress(source.read_bytes()), 1))

    for name in ("renamed.nii", "other.nii.gz"):
        assert provenance_of(tmp_path / name) == Provenance(MARK, is_unchanged=True)


def test_a_moved_image_is_noticed_in_the_header(tmp_path, a_label_map, a_label_table):
    path = tmp_path / "case1.nii"
    write_labels(path, a_label_map, a_label_table, mark=MARK)
    content = bytearray(path.read_bytes())
    content[268:272] = struct.pack("<f", 100.0)  # qoffset_x
    path.write_bytes(content)

    assert provenance_of(path) == Provenance(MARK, is_unchanged=False)


def test_what_has_no_mark_or_cannot_be_read_has_no_provenance(tmp_path, a_volume, a_label_map, a_label_table):
    for suffix in SUFFIXES:
        write_labels(tmp_path / f"labels{suffix}", a_label_map, a_label_table)
        write_image(tmp_path / f"image{suffix}", a_volume)
        (tmp_path / f"empty{suffix}").write_bytes(b"")
        (tmp_path / f"text{suffix}").write_bytes(b"ContrastiveSeg predict")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "image.nii.gz").read_bytes()[:30])
    (tmp_path / "header.mha").write_bytes(b"NDims = 3\n" * 4)

    assert {path.name for path in tmp_path.iterdir() if provenance_of(path)} == set()
    assert provenance_of(tmp_path / "missing.nrrd") is None


def test_a_result_that_was_cut_off_is_not_taken_for_whole(a_result):
    a_result.write_bytes(a_result.read_bytes()[:-10])

    found = provenance_of(a_result)
    assert found is None or not found.is_unchanged


def _save_again(path: Path, *, change: bool) -> None:
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    array[0, 0, 0] = 1 if change else array[0, 0, 0]
    again = sitk.GetImageFromArray(array)
    again.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        again.SetMetaData(key, image.GetMetaData(key))
    if ".nii" in path.name:
        again.SetMetaData("ITK_FileNotes", image.GetMetaData("descrip"))
    sitk.WriteImage(again, str(path), useCompression=True)


def test_marked_maps_are_known_too(tmp_path, a_volume):
    mark = Mark("uncertainty", 3)
    write_image(tmp_path / "map.nrrd", Volume(a_volume.array[0], a_volume.geometry), mark=mark)

    assert provenance_of(tmp_path / "map.nrrd") == Provenance(mark, is_unchanged=True)
