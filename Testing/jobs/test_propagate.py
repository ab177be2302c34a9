"""One annotated slice in, a volume of labels out, on the same grid; every bad input has its sentence."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadFile, BadSetting, CannotWrite
from ContrastiveSegLib.file_io.files import read_labels, write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.jobs import propagate
from ContrastiveSegLib.preprocessing.intensities import CT_WINDOW, Intensities
from ContrastiveSegLib.propagation.annotated_slice import find_annotated_slice
from ContrastiveSegLib.propagation.gray_slices import Cut, gray_volume
from ContrastiveSegLib.propagation.prompts import by_outline
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import Compute, PropagateSettings
from ContrastiveSegLib.settings.prompting_settings import PromptableSettings

GRID = Geometry((30, 26, 7), (1.5, 1.5, 8.0), (3.0, -7.0, 20.0))
CUBE = Geometry((20, 20, 20), (1.0, 1.0, 1.0))
TABLE = LabelTable((Structure(2, "liver", (1.0, 0.0, 0.0)), Structure(5, "spleen", (0.0, 1.0, 0.0))))
PATH = Path("drawn.seg.nrrd")


def drawn(*slices: int, geometry: Geometry = GRID) -> Volume:
    array = np.zeros(geometry.shape, np.int16)
    for k in slices:
        array[k, 4:16, 4:14], array[k, 8:20, 18:27] = 2, 5
    return Volume(array, geometry)


@pytest.fixture
def a_case(tmp_path: Path) -> Path:
    """An image, and an annotation of its fourth slice."""
    gray = np.random.default_rng(0).normal(100, 20, GRID.shape).astype(np.float32)
    write_image(tmp_path / "image.nrrd", Volume(gray, GRID))
    write_labels(tmp_path / "drawn.seg.nrrd", drawn(3), TABLE)
    return tmp_path


def settings(case: Path, checkpoint: Path, **changes: Any) -> PropagateSettings:
    given: dict[str, Any] = {
        "image": case / "image.nrrd",
        "annotation": case / "drawn.seg.nrrd",
        "promptable": PromptableSettings(checkpoint=checkpoint),
        "compute": Compute(device="cpu", precision="float32"),
    }
    return PropagateSettings(**{**given, **changes})


@pytest.mark.parametrize("model", ["a_sam_folder", "a_sam2_folder"])
def test_the_annotated_slice_its_names_and_the_grid_are_kept(
    a_case: Path, model: str, request: pytest.FixtureRequest
) -> None:
    propagate.run(settings(a_case, request.getfixturevalue(model)))

    found = read_labels(a_case / "drawn_propagated.seg.nrrd")
    assert found.table == TABLE
    assert found.volume.geometry.matches(GRID)
    np.testing.assert_array_equal(found.volume.array[3], drawn(3).array[3])
    with (a_case / "drawn_propagated.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    own = [row for row in rows if row["slice"] == "3"]
    assert [(row["structure"], row["confidence"], row["area_mm2"]) for row in own] == [
        ("liver", "1.000", f"{120 * 2.25:.1f}"), ("spleen", "1.000", f"{108 * 2.25:.1f}"),
    ]  # fmt: skip
    assert all(row["reason"] for row in rows if row["outcome"] == "ended")


def test_a_run_folder_is_told_the_model_the_slices_and_the_result(a_case: Path, a_sam2_folder: Path) -> None:
    run = RunFolder(a_case / "run")

    propagate.run(settings(a_case, a_sam2_folder, run=run.path))

    events, _ = read_new(run.events, 0)
    texts = " ".join(event.get("text", "") for event in events)
    assert "sam2_video (with memory), license Apache-2.0" in texts
    assert "liver: slices" in texts
    (result,) = [event for event in events if event["kind"] == "result"]
    assert Path(result["file"]).is_file()


def test_a_result_that_is_there_stays_unless_asked(a_case: Path, a_sam_folder: Path) -> None:
    target = a_case / "out.seg.nrrd"
    write_labels(target, drawn(), TABLE)

    with pytest.raises(CannotWrite, match=r"out\.seg\.nrrd exists already"):
        propagate.run(settings(a_case, a_sam_folder, output=target))
    propagate.run(settings(a_case, a_sam_folder, output=target, overwrite=True))

    assert read_labels(target).volume.array.any()


def test_the_annotation_is_never_overwritten(a_case: Path, a_sam_folder: Path) -> None:
    target = a_case / "drawn.seg.nrrd"

    with pytest.raises(BadSetting, match="is also an input"):
        propagate.run(settings(a_case, a_sam_folder, output=target, overwrite=True))


def test_an_annotation_on_another_grid_is_refused(a_case: Path, a_sam_folder: Path) -> None:
    other = Geometry(GRID.size, (1.5, 1.5, 7.0), GRID.origin)
    write_labels(a_case / "other.seg.nrrd", drawn(3, geometry=other), TABLE)

    with pytest.raises(BadFile, match="lie on another grid: the image has 30 x 26 x 7"):
        propagate.run(settings(a_case, a_sam_folder, annotation=a_case / "other.seg.nrrd"))


def test_an_annotation_that_would_have_to_be_resampled_is_refused(a_case: Path, a_sam_folder: Path) -> None:
    finer = Geometry((60, 26, 7), (0.75, 1.5, 8.0), GRID.origin)
    write_labels(a_case / "finer.seg.nrrd", drawn(3, geometry=finer), TABLE)

    with pytest.raises(BadFile, match="lies on another grid than the image: the image has 30 x 26 x 7"):
        propagate.run(settings(a_case, a_sam_folder, annotation=a_case / "finer.seg.nrrd"))


def test_an_annotation_cropped_to_what_is_drawn_is_carried_like_the_whole(
    a_case: Path, a_sam_folder: Path
) -> None:
    origin = tuple(GRID.index_to_physical((4, 4, 3)).tolist())
    cropped = Geometry((23, 16, 1), GRID.spacing, origin)
    write_labels(a_case / "cropped.seg.nrrd", Volume(drawn(3).array[3:4, 4:20, 4:27], cropped), TABLE)

    propagate.run(settings(a_case, a_sam_folder))
    propagate.run(settings(a_case, a_sam_folder, annotation=a_case / "cropped.seg.nrrd"))

    whole, found = (read_labels(a_case / f"{name}_propagated.seg.nrrd") for name in ("drawn", "cropped"))
    assert found.volume.geometry.matches(GRID)
    np.testing.assert_array_equal(found.volume.array, whole.volume.array)


def test_an_empty_annotation_is_refused() -> None:
    with pytest.raises(BadFile, match=r"drawn\.seg\.nrrd is empty.*Annotate one slice"):
        find_annotated_slice(drawn(), PATH)


def test_several_annotated_slices_need_a_choice() -> None:
    with pytest.raises(BadFile, match=r"has structures in 3 slices, from 1 to 5.*Say with --slice"):
        find_annotated_slice(drawn(1, 3, 5), PATH)
    assert find_annotated_slice(drawn(1, 3, 5), PATH, number=5).number == 5


def test_a_slice_without_annotation_cannot_be_chosen() -> None:
    with pytest.raises(BadFile, match="has nothing in slice 2; annotated: 1, 3 of 0 to 6"):
        find_annotated_slice(drawn(1, 3), PATH, number=2)


def test_a_volume_of_one_slice_is_refused() -> None:
    flat = Geometry((30, 26, 1), (1.5, 1.5, 8.0))
    with pytest.raises(BadFile, match="belongs to an image of one slice"):
        find_annotated_slice(drawn(0, geometry=flat), PATH)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_in_a_cube_the_plane_is_that_of_the_drawing(axis: int) -> None:
    array = np.zeros(CUBE.shape, np.int16)
    np.moveaxis(array, axis, 0)[6, 4:12, 5:15] = 2

    key = find_annotated_slice(Volume(array, CUBE), PATH)

    assert (key.cut.axis, key.number) == (axis, 6)
    assert (key.labels == 2).sum() == 80
    np.testing.assert_array_equal(key.cut.unstack(key.cut.stack(array)), array)


def test_thick_slices_are_cut_as_they_were_scanned() -> None:
    assert Cut.of(Geometry((20, 20, 20), (1.0, 5.0, 1.0))).axis == 1
    assert Cut.of(CUBE).axis == 0
    assert Cut.of(CUBE, "sagittal").axis == 2
    assert Cut(1).pixel_mm2(Geometry((20, 20, 20), (0.5, 5.0, 2.0))) == pytest.approx(1.0)


def test_gray_values_follow_the_window_of_training() -> None:
    ct = Volume(np.linspace(-1000, 1000, GRID.shape[0] * 780).round().reshape(1, *GRID.shape), GRID)

    gray = gray_volume(ct, Intensities())

    inside = (ct.array[0] > CT_WINDOW[0]) & (ct.array[0] < CT_WINDOW[1])
    expected = 255 * (ct.array[0] - CT_WINDOW[0]) / (CT_WINDOW[1] - CT_WINDOW[0])
    np.testing.assert_allclose(gray[inside], expected[inside], atol=0.51)
    assert set(np.unique(gray[~inside])) == {0, 255}


def test_a_structure_that_vanishes_at_once_is_warned_of(
    a_case: Path, a_sam_folder: Path, caplog: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(propagate, "GuidedPropagator", lambda *_: _Nothing())

    with caplog.at_level("INFO", "ContrastiveSegLib"):
        propagate.run(settings(a_case, a_sam_folder))

    assert (
        "liver: slices 3 to 3, confidence 1.00 at least; ended at slice 2: nothing was found" in caplog.text
    )
    assert any(record.levelname == "WARNING" and "liver" in record.message for record in caplog.records)


def test_it_says_which_evidence_counts(a_case: Path, a_sam_folder: Path, caplog: Any) -> None:
    with caplog.at_level("INFO", "ContrastiveSegLib"):
        propagate.run(settings(a_case, a_sam_folder))

    assert "sam (with spatial prior and intensity model), license Apache-2.0" in caplog.text


def test_borders_deviate_as_far_as_slices_are_apart(
    a_case: Path, a_sam_folder: Path, monkeypatch: Any
) -> None:
    made = []
    monkeypatch.setattr(propagate, "GuidedPropagator", lambda *given: made.append(given) or _Nothing())

    propagate.run(settings(a_case, a_sam_folder))

    ((_, asking, pixel_mm, slice_mm),) = made
    assert asking is by_outline
    assert (pixel_mm, slice_mm) == pytest.approx((1.5, 8.0))


def test_models_for_medical_images_are_asked_by_a_padded_box(
    a_case: Path, a_sam_folder: Path, monkeypatch: Any
) -> None:
    made, choose = [], propagate.choose_family
    monkeypatch.setattr(propagate, "GuidedPropagator", lambda *given: made.append(given) or _Nothing())
    monkeypatch.setattr(
        propagate, "choose_family", lambda *which, **how: _for_medical_images(choose(*which, **how))
    )

    propagate.run(settings(a_case, a_sam_folder, padding=5))

    ((_, asking, _, _),) = made
    (prompt,) = asking(drawn(3).array[3] == 2)
    assert prompt.is_box
    assert prompt.box == (0, 0, 18, 20)


def _for_medical_images(family: Any) -> Any:
    return replace(family, card=replace(family.card, photographs=False))


class _Nothing:
    """A propagator that loses everything."""

    def start(self, *_: Any) -> Any:
        return self

    def step(self, *_: Any) -> dict[int, Any]:
        return {}
