"""An external Python must not see what Slicer's launcher has set for its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.slicer_bridge.engine import Engine

SLICERS = {
    "PYTHONHOME": "/slicer/lib/Python",
    "PYTHONPATH": "/slicer/site-packages",
    "LD_LIBRARY_PATH": "/slicer/lib",
    "DYLD_LIBRARY_PATH": "/slicer/lib",
    "QT_PLUGIN_PATH": "/slicer/plugins",
    "SLICER_HOME": "/slicer",
    "VIRTUAL_ENV": "/slicer/venv",
    "PATH": "/usr/bin",
    "CUDA_VISIBLE_DEVICES": "1",
    "HOME": "/home/user",
}

# Slicer draws and computes while the job works.
BESIDE_SLICER = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    "CONTRASTIVESEG_FREE_CORE": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(max(1, (os.cpu_count() or 1) - 1)),
}


def test_an_external_python_gets_a_clean_environment(tmp_path: Path) -> None:
    engine = Engine.of(Path(sys.executable))

    environment = engine.environment(SLICERS)

    assert environment == {
        "PATH": "/usr/bin",
        "CUDA_VISIBLE_DEVICES": "1",
        "HOME": "/home/user",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        **BESIDE_SLICER,
    }
    # With another Python's home, this one would not even find its standard library.
    outside = {**os.environ, "PYTHONHOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", "import json"], env=engine.environment(outside), check=False)
    assert done.returncode == 0


def test_slicers_own_python_keeps_its_environment() -> None:
    environment = Engine.own().environment(SLICERS)

    assert environment["PYTHONHOME"] == "/slicer/lib/Python"
    assert Engine.of(None) == Engine.own()


def test_what_the_user_has_decided_about_threads_is_kept() -> None:
    decided = {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "6"}

    environment = Engine.own().environment({**SLICERS, **decided})

    assert decided.items() <= environment.items()
    assert "KMP_BLOCKTIME" not in environment
    assert "CONTRASTIVESEG_FREE_CORE" not in environment


def test_a_python_that_is_none_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "python.txt"
    text.write_text("no program", encoding="utf-8")

    with pytest.raises(BadFile, match=r"python.txt is not a Python program.*Choose python \(python.exe"):
        Engine.of(text)
