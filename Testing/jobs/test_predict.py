"""Prediction as a user asks for it: what is written, where, and what stays as it is."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib import __version__
from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.file_io.files import read_geometry, read_image, read_labels, write_image
from ContrastiveSegLib.file_io.label_digest import digest_of_labels
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.jobs import predict
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.session import reporter
from ContrastiveSegLib.training import fine_tuned


def _sentences(run: Path) -> str:
    events, _ = read_new(run / "events.jsonl")
    return "\n".join(str(event.get("text", "")) for event in events)


def test_predictions_lie_on_exactly_the_grid_of_their_images(a_run: Path, phantoms: Path) -> None:
    assert main(["predict", str(a_run), "--images", str(phantoms / "test" / "images")]) == 0

    images = sorted((phantoms / "test" / "images").iterdir())
    assert len(images) == 2
    for image in images:
        case = image.name.removesuffix(".nii.gz")
        predicted = read_labels(a_run / "predictions" / f"{case}.seg.nrrd")
        truth = read_labels(phantoms / "test" / "labels" / f"{case}.seg.nrrd")
        assert predicted.volume.geometry.matches(read_geometry([image]))
        assert predicted.table == truth.table
        uncertainty = read_image([a_run / "predictions" / f"{case}_uncertainty.nrrd"]).volume
        assert uncertainty.geometry.matches(predicted.volume.geometry)
        assert 0 <= uncertainty.array.min() < uncertainty.array.max() <= 1


def test_existing_predictions_stay_unless_asked(a_run: Path, phantoms: Path) -> None:
    words = ["predict", str(a_run), "--images", str(phantoms / "test" / "images")]
    assert main(words) == 0
    target = next((a_run / "predictions").glob("*.seg.nrrd"))
    target.write_bytes(b"corrected by hand")

    assert main(words) == 0
    assert target.read_bytes() == b"corrected by hand"
    assert "already there and stays" in _sentences(a_run)

    assert main([*words, "--overwrite"]) == 0
    assert read_labels(target).table.structures


@pytest.fixture
def images(phantoms: Path, tmp_path: Path) -> Path:
    """A copy of the images that a test may change."""
    return Path(shutil.copytree(phantoms / "test" / "images", tmp_path / "data" / "images"))


def _predict(run: Path, images: Path, *words: str) -> str:
    """Predict; the last line of what was said."""
    assert main(["predict", str(run), "--images", str(images), *words]) == 0
    return next(line for line in reversed(_sentences(run).splitlines()) if line.startswith("Predictions of"))


def test_a_result_that_is_current_stays_and_is_counted_as_such(a_run: Path, images: Path) -> None:
    first = _predict(a_run, images)
    before = {path: path.read_bytes() for path in (a_run / "predictions").glob("*.nrrd")}

    second = _predict(a_run, images)

    assert first.endswith("predictions: 2 made, with round 1")
    assert second.endswith("predictions: 2 already there, with round 1")
    assert {path: path.read_bytes() for path in before} == before
    assert _sentences(a_run).count("stays: predicted by round 1 from the same image") == 2


def test_the_summary_measures_every_prediction_that_is_there(a_run: Path, images: Path) -> None:
    first, second = sorted(path.name.partition(".")[0] for path in images.iterdir())
    _predict(a_run, images, "--only", first)
    _predict(a_run, images)
    of_first = _summary(a_run)[first]
    _predict(a_run, images, "--only", second, "--overwrite")

    assert set(_summary(a_run)) == {first, second}
    assert _summary(a_run)[first] == of_first
    labels = sitk.ReadImage(str(a_run / "predictions" / f"{first}.seg.nrrd"))
    for structure in of_first["structures"]:
        count = int((sitk.GetArrayFromImage(labels) == structure["value"]).sum())
        assert structure["volume_ml"] == pytest.approx(count * np.prod(labels.GetSpacing()) / 1000)
    assert of_first["labels_sha256"] == digest_of_labels(sitk.GetArrayFromImage(labels))
    weights = (a_run / "finetune" / "01" / "model.safetensors").read_bytes()
    assert of_first["model"] == hashlib.sha256(weights).hexdigest()
    assert (of_first["network"], of_first["round"], of_first["version"]) == ("unet", 1, __version__)
    assert of_first["seconds"] > 0
    assert of_first["memory_mb"] > 10
    rows = (a_run / "predictions" / "summary.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2 * len(of_first["structures"])

    (a_run / "predictions" / f"{first}.seg.nrrd").unlink()
    _predict(a_run, images, "--only", second)
    assert set(_summary(a_run)) == {second}


def test_a_summary_that_fails_costs_no_prediction(
    a_run: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(predict, "summary_of", refuse)

    said = _predict(a_run, images)

    assert said.endswith("predictions: 2 made, with round 1")
    assert _sentences(a_run).count("has no entry in the summary") == 2
    assert _summary(a_run) == {}


def _summary(run: Path) -> dict[str, Any]:
    entries = json.loads((run / "predictions" / "summary.json").read_text(encoding="utf-8"))["cases"]
    return {entry["case"]: entry for entry in entries}


def test_a_new_round_predicts_again_and_says_so(a_run: Path, images: Path) -> None:
    _predict(a_run, images)
    shutil.copytree(a_run / "finetune" / "01", a_run / "finetune" / "02")

    again = _predict(a_run, images)
    back = _predict(a_run, images, "--round", "1")

    assert again.endswith("2 made again, with round 2")
    assert back.endswith("2 made again, with round 1")
    assert "is made again: it was predicted by round 1, and round 2 is used now" in _sentences(a_run)


def test_a_changed_image_and_other_settings_predict_again(a_run: Path, images: Path) -> None:
    _predict(a_run, images)
    moved = sorted(images.iterdir())[0]
    image = sitk.ReadImage(str(moved))
    image.SetOrigin((100, 0, 0))
    sitk.WriteImage(image, str(moved))

    after_move = _predict(a_run, images)
    after_setting = _predict(a_run, images, "--no-intensity-refinement")

    assert after_move.endswith("1 made again, 1 already there, with round 1")
    assert after_setting.endswith("2 made again, with round 1")
    case = moved.name.removesuffix(".nii.gz")
    assert read_geometry([a_run / "predictions" / f"{case}.seg.nrrd"]).origin == (100, 0, 0)


def _expected(run: Path) -> dict[str, str]:
    with (run / "predictions" / "predict_cases.csv").open(encoding="utf-8", newline="") as stream:
        return {row["case"]: row["expected_dice"] for row in csv.DictReader(stream)}


def test_each_prediction_has_an_expected_dice_and_the_worst_are_named_first(
    a_run: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = iter([0.8, 0.3])
    monkeypatch.setattr(fine_tuned.Certainty, "of_each", lambda *_: np.array([next(first)]))

    _predict(a_run, images)

    assert list(_expected(a_run).items()) == [("phantom_004", "0.3000"), ("phantom_003", "0.8000")]
    assert (
        "Look at these first, their expected Dice is lowest: phantom_004 0.30, phantom_003 0.80. It is how "
        "certain the network is: trust the order more than the figures." in _sentences(a_run)
    )
    results = [event for event in read_new(a_run / "events.jsonl")[0] if event["kind"] == "result"]
    assert [event["expected_dice"] for event in results[-2:]] == [0.8, 0.3]


def test_the_expected_dice_of_a_result_that_stays_is_kept_also_by_a_cancelled_job(
    a_run: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _predict(a_run, images)
    before = _expected(a_run)
    assert all(0 <= float(value) <= 1 for value in before.values())

    _predict(a_run, images)
    assert _expected(a_run) == before
    with monkeypatch.context() as patch:
        asked = iter([False, True])
        patch.setattr(reporter.Reporter, "cancelled", lambda _: next(asked))
        assert main(["predict", str(a_run), "--images", str(images)]) == 130
    assert _expected(a_run) == before

    _forget(a_run)
    _predict(a_run, images)
    assert set(_expected(a_run).values()) == {""}  # nothing is predicted again to know it


def _forget(run: Path) -> None:
    (run / "predictions" / "predict_cases.csv").write_bytes(b"\xff broken")


def test_left_out_cases_calibrate_the_expected_dice(
    a_run: Path, images: Path, change_model_card: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_model_card(
        expected_dice={"always": [1], "certainty": [0.5, 0.9], "dice": [0.25, 0.65], "cases": 5}
    )
    monkeypatch.setattr(fine_tuned.Certainty, "of_each", lambda *_: np.array([0.7]))

    _predict(a_run, images)

    assert set(_expected(a_run).values()) == {"0.4500"}  # halfway between two left-out cases
    assert "It is calibrated on 5 annotated cases that training did not see." in _sentences(a_run)


def test_a_map_that_is_missing_is_made(a_run: Path, images: Path) -> None:
    _predict(a_run, images, "--no-uncertainty")
    assert not list((a_run / "predictions").glob("*_uncertainty.nrrd"))

    _predict(a_run, images)

    assert len(list((a_run / "predictions").glob("*_uncertainty.nrrd"))) == 2


def test_what_a_person_corrected_stays_until_overwriting_is_asked_for(a_run: Path, images: Path) -> None:
    _predict(a_run, images)
    target = min((a_run / "predictions").glob("*.seg.nrrd"))
    image = sitk.ReadImage(str(target))
    image[0, 0, 0] = 0 if image[0, 0, 0] else 1
    sitk.WriteImage(image, str(target), useCompression=True)
    mine = target.read_bytes()
    shutil.copytree(a_run / "finetune" / "01", a_run / "finetune" / "02")

    _predict(a_run, images)
    kept = target.read_bytes()
    _predict(a_run, images, "--overwrite")

    assert kept == mine
    assert "stays: somebody changed it after it was predicted by round 1" in _sentences(a_run)
    assert target.read_bytes() != mine


def test_images_and_annotations_are_never_overwritten_by_their_own_results(
    a_run: Path, images: Path, phantoms: Path
) -> None:
    image = min(images.iterdir())
    case = image.name.removesuffix(".nii.gz")
    annotation = images / f"{case}.seg.nrrd"
    shutil.copyfile(phantoms / "test" / "labels" / annotation.name, annotation)
    before = {path: path.read_bytes() for path in images.iterdir()}
    words = ["predict", str(a_run), "--images", str(images), "--output", str(images), "--overwrite"]

    as_nifti, as_nrrd = main([*words, "--format", "nii.gz"]), main(words)

    assert (as_nifti, as_nrrd) == (1, 0)
    assert {path: path.read_bytes() for path in before} == before
    assert f"would be written over its annotation, {annotation}" in _sentences(a_run)
    assert f"would be written over its image, {image}" in _sentences(a_run)


def test_a_case_with_other_channels_is_left_out_of_prediction(
    a_run: Path, phantoms: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(phantoms / "test" / "images", tmp_path / "data"))
    image = read_image([next(data.iterdir())]).volume
    write_image(data / "two.nrrd", Volume(np.concatenate([image.array] * 2), image.geometry))

    assert main(["predict", str(a_run), "--images", str(data)]) == 0
    assert "has 2 channels, the network was trained with 1" in _sentences(a_run)
