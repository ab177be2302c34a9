"""What unpainted voxels mean: said in the scene, kept in the file, understood by the jobs."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from ContrastiveSegLib.dataset.annotations import AnnotationMask, annotated_voxels
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.phantoms.phantom import make_phantom_case, phantom_table
from ContrastiveSegLib.slicer_bridge import annotating, nodes


@pytest.fixture
def a_volume(a_slicer):
    """In the scene, oblique, with flipped axes and three different lengths (K, H, W) = (7, 8, 9)."""
    image, _labels = make_phantom_case(2, shape=(7, 8, 9), tilt_deg=17.0, flipped=(True, False, True))
    return nodes.add_volume(image, "case")[0]


def _painted(volume, node, name, mask):
    identity = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, identity, volume)


def _nothing(volume):
    return np.zeros(slicer.util.arrayFromVolume(volume).shape, bool)


def _as_the_jobs_see_it(path, axis):
    """The kind of the saved annotation, and its known slices."""
    read = read_labels(path)
    classes = np.where(read.volume.array > 0, read.volume.array + 1, 0)
    classes[read.background] = 1
    marks = AnnotationMask(Volume(classes.astype(np.int16), read.volume.geometry), 2 - axis, False, ())
    known, _annotation = annotated_voxels(marks, "auto")
    return marks.kind, np.moveaxis(known.array > 0, 2 - axis, 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_some_slices_come_back_with_marks_and_without_painted_background(a_volume, tmp_path, axis):
    node = annotating.begin_annotation("case", a_volume, phantom_table(), axis=axis)
    mask = _nothing(a_volume)
    slices = np.moveaxis(mask, 2 - axis, 0)
    slices[1:4, 1:3, 1:3] = True  # neighbors, which alone look like a whole small structure
    _painted(a_volume, node, "liver", mask)
    annotating.mark_complete(node, 5)
    annotating.mark_complete(node, 4)
    annotating.mark_complete(node, 4, complete=False)
    path = tmp_path / "labels" / "case.seg.nrrd"

    annotating.save_annotation(node, a_volume, path, axis=axis)
    slicer.mrmlScene.RemoveNode(node)
    again = annotating.begin_annotation("case", a_volume, phantom_table(), source=path, axis=axis)

    kind, known = _as_the_jobs_see_it(path, axis)
    assert kind == "slices"
    assert np.array_equal(known.all((1, 2)), np.isin(np.arange(len(known)), (1, 2, 3, 5)))
    assert np.array_equal(known.any((1, 2)), known.all((1, 2)))
    assert np.array_equal(read_labels(path).volume.array > 0, mask)
    assert (annotating.kind_of(again), annotating.complete_slices(again)) == ("slices", (5,))
    segments = again.GetSegmentation()
    names = [segments.GetSegment(i).GetName() for i in segments.GetSegmentIDs()]
    assert names == list(phantom_table().names)
    found = annotating.amount(again, a_volume, axis=axis)
    assert (found.painted, found.complete, found.known) == ((1, 2, 3), (5,), (1, 2, 3, 5))
    assert found.voxels["liver"] == mask.sum()


def test_what_is_painted_as_ignore_is_kept_and_completes_no_slice(a_volume, tmp_path):
    node = annotating.begin_annotation("case", a_volume, phantom_table())
    mask, ignored = _nothing(a_volume), _nothing(a_volume)
    mask[2, 1:3, 1:3] = True
    ignored[2, 4:6], ignored[5, 4:6] = True, True
    _painted(a_volume, node, "liver", mask)
    node.GetSegmentation().AddEmptySegment("ignore", "ignore")
    _painted(a_volume, node, "ignore", ignored)
    path = tmp_path / "case.seg.nrrd"

    annotating.save_annotation(node, a_volume, path)

    read = read_labels(path)
    assert np.array_equal(read.unknown, ignored)
    assert np.array_equal(read.background.any((1, 2)), np.arange(len(mask)) == 2)
    assert annotating.amount(node, a_volume).known == (2,)


def test_a_slice_erased_later_is_open_again(a_volume, tmp_path):
    node = annotating.begin_annotation("case", a_volume, phantom_table())
    mask = _nothing(a_volume)
    mask[[1, 2], 1:3, 1:3] = True
    _painted(a_volume, node, "liver", mask)
    path = tmp_path / "case.seg.nrrd"
    annotating.save_annotation(node, a_volume, path)
    slicer.mrmlScene.RemoveNode(node)
    again = annotating.begin_annotation("case", a_volume, phantom_table(), source=path)

    mask[2] = False
    _painted(a_volume, again, "liver", mask)
    annotating.save_annotation(again, a_volume, path)

    kind, known = _as_the_jobs_see_it(path, 2)
    assert (kind, np.flatnonzero(known.any((1, 2))).tolist()) == ("slices", [1])


def test_a_slice_in_which_only_background_was_painted_comes_back_as_a_mark(a_volume, tmp_path):
    node = annotating.begin_annotation("case", a_volume, phantom_table(), kind="scribbles")
    stroke = _nothing(a_volume)
    stroke[3, 1, 1:3] = True
    _painted(a_volume, node, "background", stroke)
    annotating.set_kind(node, "slices")
    path = tmp_path / "case.seg.nrrd"

    annotating.save_annotation(node, a_volume, path)
    slicer.mrmlScene.RemoveNode(node)
    again = annotating.begin_annotation("case", a_volume, phantom_table(), source=path)

    assert read_labels(path).background[3].all()
    assert annotating.complete_slices(again) == (3,)
    assert annotating.amount(again, a_volume).painted == ()


def test_a_whole_volume_says_so_and_forgets_it_when_it_becomes_some_slices(a_volume, tmp_path):
    node = annotating.begin_annotation("case", a_volume, phantom_table(), kind="cases")
    mask = _nothing(a_volume)
    mask[2, 1:3, 1:3] = True  # one small lesion, which alone looks like one annotated slice
    _painted(a_volume, node, "liver", mask)
    path = tmp_path / "case.seg.nrrd"

    annotating.save_annotation(node, a_volume, path)
    slicer.mrmlScene.RemoveNode(node)
    again = annotating.begin_annotation("case", a_volume, phantom_table(), source=path)

    kind, known = _as_the_jobs_see_it(path, 2)
    assert (kind, bool(known.all())) == ("cases", True)
    assert (annotating.kind_of(again), annotating.complete_slices(again)) == ("cases", ())
    assert annotating.amount(again, a_volume).known == tuple(range(len(mask)))
    annotating.set_kind(again, "slices")
    assert annotating.amount(again, a_volume).known == (2,)


def test_scribbled_background_stays_a_segment_and_marks_do_not_count(a_volume, tmp_path):
    node = annotating.begin_annotation("case", a_volume, phantom_table(), kind="scribbles")
    stroke = _nothing(a_volume)
    stroke[2, 1, 1:6] = True
    _painted(a_volume, node, "background", stroke)
    annotating.mark_complete(node, 4)
    path = tmp_path / "case.seg.nrrd"

    annotating.save_annotation(node, a_volume, path)
    slicer.mrmlScene.RemoveNode(node)
    again = annotating.begin_annotation("case", a_volume, phantom_table(), source=path)

    saved = read_labels(path)
    assert np.array_equal(saved.background, stroke)
    assert "background" not in saved.table.names
    assert (annotating.kind_of(again), annotating.complete_slices(again)) == ("scribbles", ())
    found = annotating.amount(again, a_volume)
    assert (found.voxels["background"], found.known) == (stroke.sum(), (2,))


@pytest.mark.parametrize(("slices", "kind"), [([1, 4], "slices"), ([1, 2, 3], "cases")])
def test_labels_that_say_nothing_are_taken_as_the_jobs_take_them(a_volume, tmp_path, slices, kind):
    array = np.zeros(slicer.util.arrayFromVolume(a_volume).shape, np.int16)
    array[slices, 2:6, 2:6] = 1
    write_labels(tmp_path / "case.seg.nrrd", Volume(array, nodes.geometry_of(a_volume)), phantom_table())

    node = annotating.begin_annotation("case", a_volume, phantom_table(), source=tmp_path / "case.seg.nrrd")

    assert annotating.kind_of(node) == kind
