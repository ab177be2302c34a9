"""The demo in small: all its stations, its table and its pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.jobs import demo
from ContrastiveSegLib.networks.weights import read_model_card
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from Testing.test_terminal import narrow_terminal

FLAGS = ["--pretrain-steps", "2", "--finetune-steps", "2", "--device", "cpu"]


def test_the_demo_ends_with_a_table_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal that cannot print the name of its folder."""
    printed = narrow_terminal("cp1252", monkeypatch)
    data = tmp_path / "данные [1]"
    write_phantom_folder(data, PhantomCounts(unlabeled=1, labeled=2, test=2), seed=0, shape=(6, 48, 48))
    folder = tmp_path / "δοκιμή"

    assert main(["demo", "--data", str(data), "--folder", str(folder), *FLAGS]) == 0

    shown = printed.getvalue().decode("cp1252")
    assert "Dice scratch" in shown
    assert "HD95 mm pre-trained" in shown
    assert "all structures" in shown
    predictions = sorted(folder.glob("runs/*/*/predictions/*.seg.nrrd"))
    assert len(predictions) == 4
    names = [str(path).encode("cp1252", "backslashreplace").decode("cp1252") for path in predictions]
    assert all(name in shown for name in names)
    for picture in ("overview.png", "curves.png"):
        array = sitk.GetArrayFromImage(sitk.ReadImage(folder / picture))
        assert array.shape[0] > 200
        assert array.std() > 5


def test_generated_patients_are_learned_on_a_coarse_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "UNLABELED", 1)
    monkeypatch.setattr(demo, "TEST", 1)
    folder = tmp_path / "demo"

    assert main(["demo", "--folder", str(folder), *FLAGS]) == 0

    for name in ("scratch", "pre-trained"):
        (run,) = folder.glob(f"runs/*/{name}")
        card = read_model_card(ModelFolder(RunFolder(run).finetune(1)))
        assert card["grid"]["spacing"] == demo.COARSE["grid"].spacing
        assert card["arguments"]["base_channels"] == demo.COARSE["base_channels"]
        assert RunFolder(run).read_settings("finetune", FinetuneSettings, round_number=1).batch == demo.BATCH


def test_too_few_labeled_patients_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_phantom_folder(
        tmp_path / "data", PhantomCounts(unlabeled=1, labeled=1, test=1), seed=0, shape=(6, 48, 48)
    )

    assert main(["demo", "--data", str(tmp_path / "data"), "--folder", str(tmp_path / "demo"), *FLAGS]) == 1
    assert "has 2 patients with labels; the demo needs 2" in capsys.readouterr().err


def test_an_unknown_task_is_refused_before_anything_is_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--dataset", "toes", "--folder", str(tmp_path / "demo"), *FLAGS]) == 1
    assert 'The Decathlon has no task "toes"' in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_a_failed_download_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_network(*_: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("ContrastiveSegLib.session.download.download_and_extract", no_network)

    assert main(["demo", "--dataset", "hippocampus", "--folder", str(tmp_path / "demo"), *FLAGS]) == 1
    message = capsys.readouterr().err
    assert "Task04_Hippocampus could not be fetched" in message
    assert "--data" in message
