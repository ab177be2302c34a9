"""The Python functions do what the commands of the same name do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib import api
from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.imaging.volume import Volume

SMALL = {
    "steps": 4,
    "batch": 4,
    "compute": {"device": "cpu", "precision": "float32"},
    "grid": {"patch": [32, 32], "spacing": 6},
}


@pytest.fixture(scope="module")
def a_run(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    with pytest.warns(FutureWarning, match="'width' of .* is called 'base_channels' now"):
        api.pretrain(run, phantoms, width=4, **SMALL)
    settings = {key: value for key, value in SMALL.items() if key != "grid"}
    assert api.finetune(run, phantoms / "labeled", strategy="supervised", **settings) == 1
    return run


def test_a_folder_is_found_as_the_command_finds_it(phantoms: Path) -> None:
    assert len(api.scan(phantoms / "labeled").cases) == 2


def test_a_prediction_is_that_of_the_command(a_run: Path, phantoms: Path, tmp_path: Path) -> None:
    image = sorted((phantoms / "test" / "images").iterdir())[0]
    words = ["--images", str(phantoms / "test"), "--output", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["predict", str(a_run), *words]) == 0

    prediction = api.predict(image, a_run, device="cpu")

    name = image.name.partition(".")[0]
    of_the_command = read_labels(tmp_path / "out" / f"{name}.seg.nrrd")
    np.testing.assert_array_equal(prediction.labels.array, of_the_command.volume.array)
    assert prediction.labels.geometry.matches(of_the_command.volume.geometry)
    assert prediction.uncertainty.shape == prediction.labels.array.shape
    original = sitk.ReadImage(str(image))
    assert prediction.image.GetOrigin() == pytest.approx(original.GetOrigin())
    assert prediction.image.GetDirection() == pytest.approx(original.GetDirection())
    prediction.save(tmp_path / "mine.nii.gz")
    np.testing.assert_array_equal(read_labels(tmp_path / "mine.nii.gz").volume.array, prediction.labels.array)


def test_predictions_are_compared_with_labels(phantoms: Path) -> None:
    labels = phantoms / "labeled" / "labels"

    report = api.evaluate(labels, labels)

    assert {row.metrics.dice for row in report.rows} == {1.0}


def test_other_channels_than_in_training_are_refused(a_run: Path, phantoms: Path) -> None:
    image = read_image([sorted((phantoms / "test" / "images").iterdir())[0]]).volume
    two = Volume(np.concatenate([image.array, image.array]), image.geometry)

    with pytest.raises(BadFile, match="The volume has 2 channels, the network was trained with 1"):
        api.predict(two, a_run, device="cpu")


def test_a_setting_that_does_not_exist_is_named(phantoms: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="step"):
        api.pretrain(tmp_path / "run", phantoms, step=3)
    assert not (tmp_path / "run").exists()
