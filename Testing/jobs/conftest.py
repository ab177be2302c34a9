"""Phantoms, and a run that learned from them, for all tests of the jobs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.phantoms.phantom import write_phantom_folder

SMALL = ["--width", "4", "--batch", "4", "--device", "cpu", "--precision", "float32"]
ALONE = ["--unlabeled", "none"]  # no rounds of self-training
GRID = ["--patch", "32", "32", "--spacing", "6"]


@pytest.fixture(scope="package")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms") / "mit Umlaut ä und Leerzeichen"
    write_phantom_folder(folder, unlabeled=2, labeled=2, test=2, seed=0)
    return folder


@pytest.fixture(scope="package")
def a_trained_run(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    assert main(["pretrain", str(run), "--images", str(phantoms), "--steps", "4", *SMALL, *GRID]) == 0
    assert (
        main(
            ["finetune", str(run), "--labeled", str(phantoms / "labeled"), "--steps", "4", *SMALL[2:], *ALONE]
        )
        == 0
    )
    return run


@pytest.fixture
def a_run(a_trained_run: Path, tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(a_trained_run, tmp_path / "run", ignore=shutil.ignore_patterns("predictions"))
    )
