"""A fresh run folder, and what a fine-tuning is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import FinetuneSettings


@pytest.fixture
def a_run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "2026-11-21 Leber ü")
    run.create()
    return run


@pytest.fixture
def a_finetuning(a_run: RunFolder) -> FinetuneSettings:
    return FinetuneSettings(
        run=a_run.path,
        labeled=Path("/data/labeled"),
        strategy="supervised",
        options={"rotation": 10.0, "mirror": True, "consistency": 0.0},
    )
