"""Which voxels are annotated: whole cases, whole slices, or scribbles."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.annotations import (
    IGNORED,
    AnnotationMask,
    annotated_voxels,
    annotation_file,
    read_annotation,
    read_annotation_mask,
)
from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.dataset.slice_table import read_annotated_slices
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_geometry, write_image, write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, collect_table, prepare_cases

DATA = Path(os.environ.get("CONTRASTIVESEG_TEST_DATA", "../shared/data"))
SHAPE = (6, 8, 10)
GEOMETRY = Geometry((10, 8, 6), (1.0, 1.0, 4.0))
TABLE = LabelTable((Structure(5, "liver", (1.0, 0.0, 0.0)), Structure(2, "spleen", (0.0, 1.0, 0.0))))
WITH_BACKGROUND = LabelTable((*TABLE.structures, Structure(9, "Background", (0.0, 0.0, 1.0))))


@pytest.fixture
def nothing() -> np.ndarray:
    return np.zeros(SHAPE, np.int16)


def marks(array: np.ndarray, *, axis: int = 0, are_scribbles: bool = False) -> AnnotationMask:
    return AnnotationMask(Volume(array.astype(np.int16), GEOMETRY), axis, are_scribbles, ())


def an_organ(nothing: np.ndarray) -> np.ndarray:
    nothing[1:5, 2:6, 3:7] = 2
    return nothing


def test_an_organ_in_neighboring_slices_is_a_whole_case(nothing):
    assert marks(an_organ(nothing)).kind == "cases"


def test_where_only_ignored_voxels_are_painted_nothing_is_background_unless_it_is_listed(nothing):
    nothing[2, :3] = IGNORED

    with pytest.raises(BadFile, match="Nothing is drawn in it"):
        annotated_voxels(marks(nothing), "auto")
    known, _ = annotated_voxels(marks(nothing), "auto", [2])

    expected = np.zeros_like(nothing)
    expected[2, 3:] = 1
    np.testing.assert_array_equal(known.array, expected)


@pytest.mark.parametrize("drawn", [(3,), (1, 3), (0, 2, 4), (1, 3, 5)])
def test_slices_that_stand_alone_were_annotated_one_by_one(nothing, drawn):
    nothing[list(drawn), 2:6, 3:7] = 2

    assert marks(nothing).kind == "slices"


def test_slices_stand_alone_along_the_axis_they_are_counted_on(nothing):
    nothing[1:5, 3, 3:7] = 2

    assert marks(nothing, axis=1).kind == "slices"
    assert marks(nothing, axis=0).kind == "cases"


def test_painted_strokes_of_background_are_scribbles(nothing):
    organ = an_organ(nothing)
    organ[2, 0, :] = 1

    assert marks(organ).kind == "scribbles"


def test_slices_filled_with_background_are_whole_slices(nothing):
    nothing[2:4] = 1
    nothing[3, 2:6, 3:7] = 3

    assert marks(nothing).kind == "slices"


def test_a_volume_filled_with_structures_and_background_is_a_whole_case(nothing):
    nothing[:] = 1
    nothing[3, 2:6, 3:7] = 3
    assert marks(nothing).kind == "cases"

    nothing[0, 0, 0] = 0

    assert marks(nothing).kind == "slices"


def test_what_lay_among_scribbles_is_scribbles(nothing):
    assert marks(an_organ(nothing), are_scribbles=True).kind == "scribbles"


def test_in_whole_cases_the_rest_is_background(nothing):
    known, annotation = annotated_voxels(marks(an_organ(nothing)), "cases")

    assert np.array_equal(known.array, np.where(nothing == 2, 2, 1))
    assert annotation.describe() == "whole case"
    assert annotation.classes == (0, 1)


def test_in_whole_slices_only_their_own_rest_is_background(nothing):
    nothing[[1, 4], 2:6, 3:7] = 2
    nothing[3, 0, 0] = 1  # empty on purpose

    known, annotation = annotated_voxels(marks(nothing), "slices")

    assert np.array_equal(np.flatnonzero(known.array.all((1, 2))), [1, 3, 4])
    assert not known.array[[0, 2, 5]].any()
    assert (known.array[1] == np.where(nothing[1] == 2, 2, 1)).all()
    assert annotation.describe() == "3 of 6 slices"


def test_scribbles_say_nothing_about_the_rest(nothing):
    nothing[2, 3, 3:7] = 3
    nothing[2, 0, :] = 1

    known, annotation = annotated_voxels(marks(nothing), "scribbles")

    assert np.array_equal(known.array, nothing)
    assert annotation.share == pytest.approx(14 / nothing.size)
    assert annotation.describe() == "scribbles in 1 of 6 slices (2.9% of the voxels)"


def test_listed_slices_count_whatever_is_drawn_elsewhere(nothing):
    empty_elsewhere, wrong_elsewhere = nothing, nothing.copy()
    for array in (empty_elsewhere, wrong_elsewhere):
        array[2, 2:6, 3:7] = 2
    wrong_elsewhere[3:] = 3

    first, _ = annotated_voxels(marks(empty_elsewhere), "auto", only=(0, 2))
    second, annotation = annotated_voxels(marks(wrong_elsewhere), "auto", only=(0, 2))

    assert np.array_equal(first.array, second.array)
    assert (first.array[0] == 1).all()
    assert not first.array[[1, 3, 4, 5]].any()
    assert annotation.slices == 2


def test_a_listed_slice_that_is_not_there_is_refused(nothing):
    with pytest.raises(BadFile, match="Slice 6 is listed as annotated, but the image has the slices 0 to 5"):
        annotated_voxels(marks(nothing), "slices", only=(6,))


@pytest.mark.parametrize("kind", ["slices", "scribbles"])
def test_an_untouched_case_is_refused(nothing, kind):
    with pytest.raises(BadFile, match=r"Nothing is drawn in it\. Annotate it, leave it out"):
        annotated_voxels(marks(nothing), kind)


def test_drawing_leaves_the_marks_as_they_were(nothing):
    nothing[1, 1, 1] = 2

    annotated_voxels(marks(nothing), "cases")

    assert nothing.sum() == 2


@pytest.fixture
def a_drawn_case(tmp_path, any_volume) -> Case:
    """A case whose one structure and one stroke of background lie in the slice 3, on each of the grids."""
    image, labels = tmp_path / "case1.nrrd", tmp_path / "case1.seg.nrrd"
    write_image(image, any_volume)
    values = np.zeros(any_volume.geometry.shape, np.int16)
    values[3, 2:6, 3:7], values[3, 0, :] = 5, 9
    write_labels(labels, Volume(values, any_volume.geometry), WITH_BACKGROUND)
    return Case("case1", (image,), labels, patient="case1")


def test_a_segment_called_background_is_no_structure(a_drawn_case):
    assert collect_table([a_drawn_case]).names == ("liver", "spleen")


def test_marks_lie_on_the_grid_of_the_image(a_drawn_case, any_volume):
    image = read_geometry(a_drawn_case.images)

    found = read_annotation_mask(a_drawn_case.labels, a_drawn_case, TABLE, image, plane="axial")

    assert found.axis == 0
    assert found.kind == "scribbles"
    assert (found.volume.array[3, 2:6, 3:7] == 2).all()
    assert (found.volume.array[3, 0] == 1).all()
    assert np.count_nonzero(found.volume.array) == 16 + any_volume.geometry.size[0]


def test_prepared_labels_are_unknown_where_nothing_is_annotated(a_drawn_case, tmp_path):
    def labels(kind: str) -> np.ndarray:
        recipe = Recipe(WorkingGrid("axial", 1.0, 0.0, (16, 16)), Intensities(), TABLE, annotation=kind)
        (outcome,) = prepare_cases([a_drawn_case], tmp_path / "prepared", recipe)
        assert outcome.prepared.annotation == kind
        return np.asarray(outcome.prepared.labels)

    cases, slices, scribbles = (labels(kind) for kind in ("cases", "slices", "scribbles"))

    assert set(np.unique(cases)) == {0, 1}
    assert sorted(np.count_nonzero((slices != IGNORE_LABEL).any((1, 2)), axis=0).ravel()) == [1]
    assert set(np.unique(scribbles)) == {IGNORE_LABEL, 0, 1}
    assert np.array_equal(cases == 1, scribbles == 1)
    middle = slices[(slices != IGNORE_LABEL).any((1, 2))][0, 2:-2, 2:-2]
    assert (middle != IGNORE_LABEL).all()


def test_an_empty_case_says_which_file_to_mend(tmp_path, a_volume):
    write_image(tmp_path / "case1.nrrd", a_volume)
    empty = Volume(np.zeros(a_volume.geometry.shape, np.int16), a_volume.geometry)
    write_labels(tmp_path / "case1.seg.nrrd", empty, TABLE)
    case = Case("case1", (tmp_path / "case1.nrrd",), tmp_path / "case1.seg.nrrd", patient="case1")
    recipe = Recipe(WorkingGrid("axial", 1.0, 0.0, (16, 16)), Intensities(), TABLE, annotation="slices")

    (outcome,) = prepare_cases([case], tmp_path / "prepared", recipe)

    assert outcome.prepared is None
    assert outcome.reason.startswith(f"{case.labels}: Nothing is drawn in it.")


def test_labels_come_before_scribbles_unless_scribbles_are_asked():
    both = Case("a", (Path("a.nii"),), Path("labels/a.nii"), Path("scribbles/a.nii"))
    scribbled = Case("b", (Path("b.nii"),), None, Path("scribbles/b.nii"))

    assert annotation_file(both, "auto") == Path("labels/a.nii")
    assert annotation_file(both, "scribbles") == Path("scribbles/a.nii")
    assert annotation_file(scribbled, "auto") == Path("scribbles/b.nii")
    assert annotation_file(scribbled, "slices") is None


@pytest.mark.parametrize(("untouched", "painted"), [(4, True), (0, False)])
def test_among_scribbles_the_commonest_number_is_untouched(tmp_path, untouched, painted):
    values = np.full(SHAPE, untouched, np.int16)
    values[2, 1, :4], values[2, 5, :3] = 1, 2
    values[2, 7, :] = 0
    path = tmp_path / "scribbles.nii.gz"
    sitk.WriteImage(Volume(values, GEOMETRY).to_sitk(), str(path))

    read = read_annotation(path, Case("a", (), None, path))

    assert read.table.values == (1, 2)
    assert np.count_nonzero(read.volume.array) == 7
    assert (read.background is not None) == painted
    if painted:
        assert np.count_nonzero(read.background) == 10


def test_a_table_lists_annotated_slices(tmp_path):
    path = tmp_path / "slices.csv"
    path.write_text("case,slice\nb,3\na,2\nb,1\n")

    assert read_annotated_slices(path) == {"a": (2,), "b": (1, 3)}


@pytest.mark.parametrize(
    ("text", "message"),
    [("case,organ\na,1\n", "has the columns case, organ"), ("case,slice\na,two\n", "line 2: .*'two'")],
)
def test_a_table_that_cannot_be_understood_says_how_it_should_look(tmp_path, text, message):
    path = tmp_path / "slices.csv"
    path.write_text(text)

    with pytest.raises(BadFile, match=message + r".*Give it the columns case,slice"):
        read_annotated_slices(path)


@pytest.mark.skipif(not (DATA / "acdc").is_dir(), reason=f"no data in {DATA}")
def test_scribbles_of_people_are_read_with_their_background():
    case = next(c for c in find_cases(DATA / "acdc").cases if c.name == "patient001_frame01")
    table = collect_table([case], annotation="scribbles")

    drawn = read_annotation_mask(
        annotation_file(case, "scribbles"), case, table, read_geometry(case.images), plane="axial"
    )
    known, annotation = annotated_voxels(drawn, "auto")

    assert table.values == (1, 2, 3)
    assert annotation.kind == "scribbles"
    assert annotation.classes == (0, 1, 2, 3)
    assert 0.002 < annotation.share < 0.05
    assert annotation.slices == known.array.any((1, 2)).sum() == annotation.of
