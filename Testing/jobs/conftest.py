"""Phantoms, and a run that learned from them, for all tests of the jobs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.networks.weights import seal_of

SMALL = ["--base-channels", "4", "--batch", "4", "--device", "cpu", "--precision", "float32"]
ALONE = ["--unlabeled", "none"]  # no rounds of self-training
GRID = ["--patch", "32", "32", "--spacing", "6"]


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


@pytest.fixture
def change_model_card(a_run: Path) -> Callable[..., dict[str, Any]]:
    """Change entries of the model card of round 1, sealed as if they had been written so; the card before."""
    path = a_run / "finetune" / "01" / "model.json"

    def change(**entries: Any) -> dict[str, Any]:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        card = before | entries
        path.write_text(json.dumps(card | {"seal": seal_of(card)}), encoding="utf-8")
        return before

    return change
