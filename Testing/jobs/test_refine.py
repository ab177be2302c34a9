"""Refining a folder: labels with names and colors on the image's grid, a report, and nothing overwritten."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadCheckpoint, BadFolder, BadSetting
from ContrastiveSegLib.file_io.files import read_labels, write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.jobs import refine
from ContrastiveSegLib.propagation.refine import Rules
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.sam import lite_medsam
from ContrastiveSegLib.settings.job_settings import Compute, RefineSettings
from ContrastiveSegLib.settings.prompting_settings import GrayValues, PromptableSettings

TURNED = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
GRID = Geometry((30, 26, 4), (1.5, 1.5, 8.0), (3.0, -7.0, 20.0), TURNED)
TABLE = LabelTable((Structure(2, "liver", (1.0, 0.0, 0.0)), Structure(5, "spleen", (0.0, 1.0, 0.0))))
CPU = Compute(device="cpu", precision="float32")


def labels() -> Volume:
    array = np.zeros(GRID.shape, np.int16)
    array[1:3, 4:16, 4:14], array[1:3, 8:20, 18:27] = 2, 5
    return Volume(array, GRID)


@pytest.fixture
def a_study(tmp_path: Path) -> Path:
    """Images and predictions of two cases."""
    generator = np.random.default_rng(0)
    for case in ("p1", "p2"):
        image = Volume(generator.normal(100, 20, GRID.shape).astype(np.float32), GRID)
        write_image(tmp_path / "images" / f"{case}.nii.gz", image)
        write_labels(tmp_path / "predictions" / f"{case}.seg.nrrd", labels(), TABLE)
    return tmp_path


def settings(study: Path, checkpoint: Path, **changes: Any) -> RefineSettings:
    model = PromptableSettings(checkpoint=checkpoint)
    given = {"images": study / "images", "predictions": study / "predictions", "promptable": model}
    return RefineSettings(**{**given, "compute": CPU, **changes})


def report(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_names_colors_and_the_oblique_grid_survive(a_study: Path, a_sam_folder: Path) -> None:
    refine.run(settings(a_study, a_sam_folder))

    found = read_labels(a_study / "predictions_refined" / "p1.seg.nrrd")
    assert found.table == TABLE
    assert found.volume.geometry.matches(GRID)
    assert not found.volume.array[[0, 3]].any()


def test_what_a_random_model_finds_is_refused_line_by_line(a_study: Path, a_sam_folder: Path) -> None:
    refine.run(settings(a_study, a_sam_folder, acceptance=0.99))

    found = read_labels(a_study / "predictions_refined" / "p2.seg.nrrd")
    np.testing.assert_array_equal(found.volume.array, labels().array)
    rows = report(a_study / "predictions_refined" / "p2_refine.csv")
    assert [(row["slice"], row["structure"]) for row in rows] == [
        ("1", "liver"), ("1", "spleen"), ("2", "liver"), ("2", "spleen"),
    ]  # fmt: skip
    assert {row["outcome"] for row in rows} == {"refused"}
    assert all(row["reason"] for row in rows)
    assert rows[0]["before_mm2"] == f"{12 * 10 * 1.5 * 1.5:.1f}"


def test_what_is_there_stays_unless_asked(a_study: Path, a_sam_folder: Path) -> None:
    target = a_study / "predictions_refined" / "p1.seg.nrrd"
    write_labels(target, Volume(np.zeros(GRID.shape, np.int16), GRID), TABLE)

    refine.run(settings(a_study, a_sam_folder, acceptance=0.99))
    kept = read_labels(target).volume.array.any()
    refine.run(settings(a_study, a_sam_folder, acceptance=0.99, overwrite=True))

    assert not kept
    np.testing.assert_array_equal(read_labels(target).volume.array, labels().array)


def test_a_run_folder_is_told_and_gets_the_result(a_study: Path, a_sam_folder: Path) -> None:
    run = RunFolder(a_study)

    refine.run(settings(a_study, a_sam_folder, run=a_study, predictions=None))

    events, _ = read_new(run.events, 0)
    results = [event for event in events if event["kind"] == "result"]
    assert [event["case"] for event in results] == ["p1", "p2"]
    assert any("license Apache-2.0" in event.get("text", "") for event in events)
    assert (a_study / "predictions_refined" / "p2.seg.nrrd").is_file()


def test_without_predictions_and_run_it_says_what_to_give(a_study: Path, a_sam_folder: Path) -> None:
    with pytest.raises(BadSetting, match="Neither a run folder nor --predictions"):
        refine.run(settings(a_study, a_sam_folder, predictions=None))


def test_the_predictions_themselves_are_never_the_output(a_study: Path, a_sam_folder: Path) -> None:
    with pytest.raises(BadSetting, match="is the folder of the predictions themselves"):
        refine.run(settings(a_study, a_sam_folder, output=a_study / "predictions"))


def test_folders_that_do_not_belong_together_are_named(a_study: Path, a_sam_folder: Path) -> None:
    write_labels(a_study / "others" / "q7.seg.nrrd", labels(), TABLE)

    with pytest.raises(BadFolder, match=r"No labels in .*others \(cases: q7\) belong to an image in"):
        refine.run(settings(a_study, a_sam_folder, predictions=a_study / "others"))


def test_labels_of_another_place_are_left_out_with_the_reason(
    a_study: Path, a_sam_folder: Path, caplog: Any
) -> None:
    far = Geometry(GRID.size, GRID.spacing, (900.0, 900.0, 900.0), TURNED)
    write_labels(a_study / "predictions" / "p1.seg.nrrd", Volume(labels().array, far), TABLE, overwrite=True)

    with caplog.at_level("INFO", "ContrastiveSegLib"):
        refine.run(settings(a_study, a_sam_folder, acceptance=0.99))

    assert "p1 is left out: The labels of p1 do not lie within its image" in caplog.text
    assert "Refined labels of 1 of 2 cases" in caplog.text


def test_files_that_have_no_partner_are_said_and_stand_in_the_table(
    a_study: Path, a_sam_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alone, text = a_study / "predictions" / "p9.seg.nrrd", a_study / "images" / "notes.docx"
    write_labels(alone, labels(), TABLE)
    text.write_bytes(b"none")

    refine.run(settings(a_study, a_sam_folder))

    rows = {
        Path(row["image"]).name: row for row in report(a_study / "predictions_refined" / "refine_cases.csv")
    }
    assert [row["outcome"] for row in rows.values()] == ["done", "done", "left out", "left out"]
    assert "has no image of this case" in rows["p9.seg.nrrd"]["reason"]
    assert "notes.docx" in rows
    assert f"{alone} is left out: {a_study / 'images'} has no image of this case" in caplog.text


def test_a_missing_checkpoint_is_named_before_anything_is_written(a_study: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"gone\.pt cannot be read as weights: No such file"):
        refine.run(settings(a_study, a_study / "gone.pt"))
    assert not (a_study / "predictions_refined").exists()


def test_a_channel_that_is_not_there_is_refused(a_study: Path, a_sam_folder: Path) -> None:
    with pytest.raises(BadFolder, match=r"has 1 channel\(s\), asked was for number 3"):
        refine.run(settings(a_study, a_sam_folder, gray=GrayValues(channel=3)))


@pytest.mark.parametrize("steady", [True, False])
def test_outlines_that_differ_between_slices_are_corrected_and_it_is_said(
    a_study: Path, a_sam_folder: Path, steady: bool
) -> None:
    strayed = labels()
    strayed.array[2] = np.roll(strayed.array[2], 6, axis=0)  # 9 mm
    write_labels(a_study / "predictions" / "p1.seg.nrrd", strayed, TABLE, overwrite=True)

    refine.run(settings(a_study, a_sam_folder, run=a_study, slice_consistency=steady))

    events, _ = read_new(RunFolder(a_study).events, 0)
    corrected = [event["case"] for event in events if "are corrected before" in event.get("text", "")]
    assert corrected == (["p1"] if steady else [])


def test_models_of_photographs_are_shown_outlines_and_those_for_medicine_boxes_alone(
    a_study: Path, a_sam_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(refine, "Rules", lambda *rules: seen.append(Rules(*rules)) or seen[-1])

    refine.run(settings(a_study, a_sam_folder))

    assert seen[0].photographs
    assert not lite_medsam.CARD.photographs
