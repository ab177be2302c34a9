"""The main job, end to end, as a user types it, and what can go wrong in it."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from safetensors.torch import load_file

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.file_io.files import read_geometry, read_image, read_labels, write_image
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.runs.events import read_new

SMALL = ["--base-channels", "4", "--batch", "4", "--device", "cpu", "--precision", "float32"]
ALONE = ["--unlabeled", "none"]  # no rounds of self-training
GRID = ["--patch", "32", "32", "--spacing", "6"]


def _sentences(run: Path) -> str:
    events, _ = read_new(run / "events.jsonl")
    return "\n".join(str(event.get("text", "")) for event in events)


def test_evaluation_writes_a_line_per_case_and_structure(a_run: Path, phantoms: Path, tmp_path: Path) -> None:
    assert main(["predict", str(a_run), "--images", str(phantoms / "test" / "images")]) == 0
    report = tmp_path / "report.csv"

    code = main(
        ["evaluate", "--predictions", str(a_run / "predictions"), "--labels", str(phantoms / "test"),
         "--output", str(report)]
    )  # fmt: skip

    with report.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    structures = len(read_labels(next((phantoms / "test" / "labels").iterdir())).table.structures)
    assert code == 0
    assert len(rows) == 2 * structures
    assert all(0 <= float(row["dice"]) <= 1 for row in rows if row["dice"])


def test_each_training_keeps_what_it_saw(a_run: Path) -> None:
    roles = []
    for stage in (a_run / "pretrain", a_run / "finetune" / "01"):
        assert (stage / "environment.json").is_file()
        with (stage / "cases.csv").open(encoding="utf-8") as stream:
            roles.append(Counter(row["role"] for row in csv.DictReader(stream)))

    assert roles == [{"train": 6}, {"train": 2}]
    assert (a_run / "finetune" / "01" / "labels.json").is_file()
    for name in (
        "cases.csv",
        "labels.json",
        "environment.json",
    ):  # where people look first: those of the last
        assert (a_run / name).read_bytes() == (a_run / "finetune" / "01" / name).read_bytes()


def test_fine_tuning_starts_from_the_pretrained_encoder(phantoms: Path, a_run: Path) -> None:
    pretrained = load_file(a_run / "pretrain" / "model.safetensors")
    words = ["finetune", str(a_run), "--labeled", str(phantoms / "labeled"), *SMALL[2:], *ALONE]

    assert main([*words, "--steps", "1", "--lr", "1e-8"]) == 0

    started = load_file(a_run / "finetune" / "02" / "model.safetensors")
    weights = [name for name in pretrained if name.endswith("weight") and pretrained[name].ndim == 4]
    assert len(weights) == 10
    for name in weights:
        np.testing.assert_allclose(started[name], pretrained[name], atol=1e-5)


def test_a_finished_run_says_so_and_changes_nothing(
    a_run: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (a_run / "pretrain" / "model.safetensors").read_bytes()
    stamp = (a_run / "pretrain" / "model.safetensors").stat().st_mtime_ns

    code = main(["pretrain", str(a_run), "--images", str(phantoms), "--steps", "4", *SMALL, *GRID])

    assert code == 0
    assert "is finished; there is nothing to do" in capsys.readouterr().err
    assert (a_run / "pretrain" / "model.safetensors").read_bytes() == before
    assert (a_run / "pretrain" / "model.safetensors").stat().st_mtime_ns == stamp


def test_other_settings_for_the_same_run_are_refused(
    a_run: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["pretrain", str(a_run), "--images", str(phantoms), "--steps", "5", *SMALL, *GRID])

    assert code == 1
    assert "steps (was 4, now 5)" in capsys.readouterr().err


def test_a_mistyped_folder_does_not_bind_the_run(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["pretrain", str(run), "--images", str(tmp_path / "nowhere"), "--steps", "1", *SMALL]) == 1
    assert "nowhere" in capsys.readouterr().err

    assert main(["pretrain", str(run), "--images", str(phantoms), "--steps", "1", *SMALL, *GRID]) == 0


def test_without_pretraining_the_remedy_is_named(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["finetune", str(tmp_path / "run"), "--labeled", str(phantoms / "labeled"), *SMALL])

    assert code == 1
    assert "--from none" in capsys.readouterr().err


def test_labels_without_any_structure_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = sitk.GetImageFromArray(np.random.default_rng(0).random((4, 32, 32), np.float32))
    sitk.WriteImage(image, tmp_path / "case.nii.gz")
    sitk.WriteImage(sitk.Cast(image * 0, sitk.sitkUInt8), tmp_path / "case_label.nii.gz")

    words = ["finetune", str(tmp_path / "run"), "--labeled", str(tmp_path), "--from", "none", *SMALL]
    assert main(words) == 1
    assert "every voxel is background" in capsys.readouterr().err


def test_an_image_without_label_is_left_out_with_the_reason(phantoms: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"

    code = main(
        ["finetune", str(run), "--labeled", str(phantoms), "--from", "none", "--steps", "1", *SMALL, *GRID]
    )

    with (run / "finetune" / "01" / "cases.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    unlabeled = [row for row in rows if row["role"] == "left out"]
    assert code == 0
    assert len(rows) == 6
    assert len(unlabeled) == 2
    assert all("has no labels" in row["reason"] for row in unlabeled)


def _nan(image: Volume) -> Volume:
    array = image.array.copy()
    array[0, 0, 0, :3] = np.nan
    return Volume(array, image.geometry)


def _constant(image: Volume) -> Volume:
    return Volume(np.full_like(image.array, 7), image.geometry)


@pytest.mark.parametrize(
    ("spoil", "reason"), [(_nan, "3 voxels that are not numbers"), (_constant, "is constant")]
)
def test_an_unusable_image_is_left_out_and_the_others_are_used(
    phantoms: Path, tmp_path: Path, spoil: Callable[[Volume], Volume], reason: str
) -> None:
    data = Path(shutil.copytree(phantoms / "unlabeled", tmp_path / "data"))
    image = next((data / "images").iterdir())
    write_image(data / "images" / "spoiled.nrrd", spoil(read_image([image]).volume))
    (data / "images" / "empty.nii.gz").touch()
    run = tmp_path / "run"

    code = main(["pretrain", str(run), "--images", str(data), "--steps", "1", *SMALL, *GRID])

    text = (run / "pretrain" / "cases.csv").read_text(encoding="utf-8")
    assert code == 0
    assert reason in text
    assert "empty.nii.gz" in text
    assert reason in _sentences(run)


def test_a_folder_with_nothing_usable_names_the_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sitk.WriteImage(sitk.Image([8, 8], sitk.sitkUInt8), tmp_path / "flat.nrrd")

    assert main(["pretrain", str(tmp_path / "run"), "--images", str(tmp_path), "--steps", "1", *SMALL]) == 1
    assert "2D image" in capsys.readouterr().err


def test_one_slice_and_small_volumes_are_learned_and_segmented(tmp_path: Path) -> None:
    """A volume of one slice, smaller than the patch, goes all the way."""
    random = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for n in range(2):
        image = sitk.GetImageFromArray(random.random((1, 20, 24), np.float32))
        labels = sitk.GetImageFromArray((random.random((1, 20, 24)) > 0.5).astype(np.uint8))
        sitk.WriteImage(image, tmp_path / "data" / f"c{n}.nii.gz")
        sitk.WriteImage(labels, tmp_path / "data" / f"c{n}_label.nii.gz")
    run = tmp_path / "run"

    assert (
        main(
            [
                "finetune",
                str(run),
                "--labeled",
                str(tmp_path / "data"),
                "--from",
                "none",
                "--steps",
                "1",
                *SMALL,
            ]
        )
        == 0
    )
    assert main(["predict", str(run), "--images", str(tmp_path / "data"), "--format", "nii.gz"]) == 0
    assert read_geometry([run / "predictions" / "c0.nii.gz"]).shape == (1, 20, 24)


def test_volumes_are_learned_in_3d(phantoms: Path, tmp_path: Path) -> None:
    grid = ["--spatial-dims", "3", "--patch", "8", "32", "32", "--spacing", "6"]
    run = tmp_path / "run"

    assert main(["pretrain", str(run), "--images", str(phantoms), "--steps", "1", *SMALL, *grid]) == 0
    assert (
        main(
            ["finetune", str(run), "--labeled", str(phantoms / "labeled"), "--steps", "1", *SMALL[2:], *ALONE]
        )
        == 0
    )
    assert main(["predict", str(run), "--images", str(phantoms / "test" / "images"), "--mirror", "yes"]) == 0
    assert len(list((run / "predictions").glob("*.seg.nrrd"))) == 2


def test_scan_shows_cases_labels_and_reasons(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(phantoms / "labeled", tmp_path / "data"))
    (data / "images" / "broken.nii.gz").write_bytes(b"nothing of use")

    assert main(["scan", str(data)]) == 0
    shown = capsys.readouterr().out
    assert "2 cases of 2 patients, 2 with labels; 1 files left out" in shown
    assert "broken.nii.gz" in shown


def test_check_takes_a_real_training_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "check.json"

    assert main(["check", "--device", "cpu", "--output", str(file)]) == 0
    facts = json.loads(file.read_text(encoding="utf-8"))
    assert facts["device"].startswith("cpu")
    assert facts["slices_per_s"] == pytest.approx(8 / facts["seconds_per_step"])
    assert "This machine is ready" in capsys.readouterr().out
